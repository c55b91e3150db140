#include "cresset/app/hand_run.h"

#include <memory>
#include <optional>
#include <utility>

#include "cresset/app/cluster_settings.h"
#include "cresset/app/steps.h"
#include "cresset/dag/plan.h"

namespace cresset::app {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);

// Takes what it is to start, and starts nothing.
class Taker final : public ports::Executor {
 public:
  void start(ports::StartSpec spec) override { taken_ = std::move(spec); }
  void stop(const model::AttemptId&, Duration) override {}
  void forget(const std::vector<model::AttemptId>&) override {}
  Result<std::vector<ports::ExecutorEvent>> poll() override {
    return std::vector<ports::ExecutorEvent>();
  }
  std::optional<ports::StartSpec>& taken() { return taken_; }

 private:
  std::optional<ports::StartSpec> taken_;
};

dag::RunContext context_of(const RunRequest& request, const HandPlace& place, WallTime now) {
  constexpr std::size_t kSuffix = 5;
  dag::RunContext context;
  context.id = place.id;
  context.name = request.name;
  context.resource_name = request.pipeline.name + "-" + place.id.str().substr(0, kSuffix);
  context.created_at = now;
  context.artifact_root = "file://" + place.folder + "/artifacts";
  context.workspace = place.folder + "/workspace";
  context.success_word = request.options.success_word;
  context.use_cache = false;
  return context;
}

Result<void> check_is_process(const dag::LeafTask& leaf) {
  const auto* container = std::get_if<model::Container>(&leaf.component->body);
  if (container != nullptr && container->image != kCreateVolumeImage &&
      container->image != kDeleteVolumeImage)
    return {};
  return make_error(Code::kFailedPrecondition,
                    "\"{}\" is done by the engine itself: there is no process to look into",
                    leaf.path);
}

Result<dag::StartAttempt> first_attempt(dag::Plan& plan, WallTime now) {
  for (const dag::Effect& effect : plan.step(dag::Submitted{}, now).effects) {
    if (const auto* start = std::get_if<dag::StartAttempt>(&effect)) return *start;
  }
  return make_error(Code::kFailedPrecondition, "the step would not start: {}",
                    plan.error() ? plan.error()->message : "its inputs do not allow it");
}

}  // namespace

Result<ports::StartSpec> prepare_by_hand(const RunRequest& request, const HandPlace& place,
                                         const Home& home, const RunService::Ports& ports,
                                         const std::function<void(std::string_view)>& on_notice,
                                         Interrupts& interrupts) {
  const WallTime now = ports.clock.wall_now();
  CR_TRY(const std::unique_ptr<dag::Plan> plan,
         dag::Plan::make(std::make_shared<const model::Pipeline>(request.pipeline), request.inputs,
                         context_of(request, place, now)));
  CR_TRY(const dag::StartAttempt start, first_attempt(*plan, now));
  CR_TRY_VOID(check_is_process(plan->leaf(start.task)));
  Taker taker;
  Steps steps(*plan, home.with_runs_in(place.folder), request.options, place.runtime_dir, 0,
              {ports.store, taker, ports.files, ports.environments, ~std::uint64_t{0} >> 1});
  steps.start(start.task, start.attempt, false);
  while (true) {
    if (interrupts.level() > 0) return make_error(Code::kCancelled, "stopped");
    if (taker.taken()) return *std::move(taker.taken());
    CR_TRY(const Steps::Harvest harvest, steps.poll());
    for (const std::string& notice : harvest.notices) on_notice(notice);
    for (const Steps::TimedEvent& item : harvest.events) {
      if (const auto* failed = std::get_if<dag::AttemptFailed>(&item.event)) {
        return make_error(Code::kFailedPrecondition, "the step cannot start: {}{}{}",
                          failed->failure.message, failed->failure.log_tail.empty() ? "" : "\n",
                          failed->failure.log_tail);
      }
    }
    if (!taker.taken()) ports.reactor.wait(ports.clock.now() + kTick);
  }
}

}  // namespace cresset::app
