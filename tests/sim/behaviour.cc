#include "sim/behaviour.h"

#include "cresset/base/check.h"
#include "cresset/text/json.h"

namespace cresset::sim {

namespace {

template <class Enum>
Value number(Enum value) {
  return Value(static_cast<int>(value));
}

template <class Enum>
Enum as_enum(const Value& value) {
  return static_cast<Enum>(value.as_integer());
}

unsigned as_unsigned(const Value& value) { return static_cast<unsigned>(value.as_integer()); }

}  // namespace

// Lists instead of structs: this is written and read for each step of a million runs.
std::string encode_behaviour(const Task& task) {
  const Step& step = *task.step();
  Value::List parameters;
  for (const auto& [name, output] : step.parameters) {
    parameters.emplace_back(Value::List{name, number(output.shape.base), output.shape.depth,
                                        output.shape.length, number(output.way)});
  }
  Value::List artifacts;
  for (const auto& [name, artifact] : step.artifacts)
    artifacts.emplace_back(Value::List{name, number(artifact.form), artifact.adds_metadata});
  Value::List inputs;
  if (!step.whole_input) {
    for (const auto& [name, input] : task.parameters)
      inputs.emplace_back(Value::List{name, number(input.type), input.declared});
  }
  return text::to_json(Value(Value::List{
      step.label, std::move(parameters), std::move(artifacts), number(step.mischief.kind),
      step.mischief.times, step.mischief.code, std::int64_t{step.runs_for.count()}, step.prints,
      step.ignores_terminate, step.whole_input, step.ignores_inputs,
      task.retry ? task.retry->max : 0u, std::move(inputs)}));
}

Behaviour decode_behaviour(std::string_view text) {
  const auto parsed = text::parse_json(text);
  CHECK(parsed.has_value() && parsed->is_list() && parsed->as_list().size() == 13);
  const Value::List& fields = parsed->as_list();
  Behaviour out;
  Step& step = out.step;
  step.label = fields[0].as_string();
  for (const Value& item : fields[1].as_list()) {
    const Value::List& output = item.as_list();
    step.parameters[output[0].as_string()] = {
        {as_enum<Shape::Base>(output[1]), as_unsigned(output[2]), as_unsigned(output[3])},
        as_enum<StepOutput::Way>(output[4])};
  }
  for (const Value& item : fields[2].as_list()) {
    const Value::List& artifact = item.as_list();
    StepArtifact& to = step.artifacts[artifact[0].as_string()];
    to.form = as_enum<StepArtifact::Form>(artifact[1]);
    to.adds_metadata = artifact[2].as_bool();
  }
  step.mischief.kind = as_enum<Mischief::Kind>(fields[3]);
  step.mischief.times = as_unsigned(fields[4]);
  step.mischief.code = static_cast<int>(fields[5].as_integer());
  step.runs_for = Duration(fields[6].as_integer());
  step.prints = fields[7].as_string();
  step.ignores_terminate = fields[8].as_bool();
  step.whole_input = fields[9].as_bool();
  step.ignores_inputs = fields[10].as_bool();
  for (const Value& item : fields[12].as_list()) {
    const Value::List& input = item.as_list();
    out.inputs[input[0].as_string()] = {as_enum<Type>(input[1]), input[2].as_bool()};
  }
  return out;
}

}  // namespace cresset::sim
