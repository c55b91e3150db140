#include "cresset/adapters/process/protocol.h"

#include <utility>

namespace cresset::process {

namespace {

// On the wire since version 1: a new kind goes at the end.
enum class Type : std::uint8_t {
  kHello = 1,
  kStart,
  kStop,
  kForget,
  kWelcome,
  kRunning,
  kExited,
  kTrouble,
};

void write_type(WireWriter& out, Type type) { out.number(static_cast<std::uint8_t>(type)); }

void write_spec(WireWriter& out, const ports::StartSpec& spec) {
  write_id(out, spec.id);
  out.number(spec.token);
  out.number(std::uint8_t{spec.adopt_only});
  write_texts(out, spec.argv);
  out.list(spec.env, [&](const auto& variable) {
    out.text(variable.first);
    out.text(variable.second);
  });
  out.text(spec.work_dir);
  write_texts(out, spec.fresh);
  write_texts(out, spec.folders);
  out.list(spec.files, [&](const ports::FileToWrite& file) {
    out.text(file.path);
    out.text(file.content);
  });
  out.list(spec.scratch, [&](const ports::ScratchFolder& folder) {
    out.text(folder.variable);
    out.text(folder.leftovers);
  });
  out.list(spec.mounts, [&](const ports::Mount& mount) {
    out.text(mount.source);
    out.text(mount.target);
    out.number(std::uint8_t{mount.read_only});
  });
  out.number(std::uint8_t{spec.warm.has_value()});
  if (spec.warm) {
    out.text(spec.warm->zygote);
    out.text(spec.warm->fingerprint);
    write_texts(out, spec.warm->modules);
    write_texts(out, spec.warm->own);
  }
  out.text(spec.log_path);
  out.number(spec.log_cap_bytes);
  out.number(spec.slots.cpu_millis);
  out.number(spec.slots.memory_bytes);
  out.number(spec.slots.gpus);
  out.number(spec.run_cpu_millis_max);
}

ports::StartSpec read_spec(WireReader& in) {
  ports::StartSpec spec;
  spec.id = read_id(in);
  spec.token = in.number<std::uint64_t>();
  spec.adopt_only = in.flag();
  spec.argv = read_texts(in);
  in.list([&] {
    std::string name = in.text();
    spec.env.emplace_back(std::move(name), in.text());
  });
  spec.work_dir = in.text();
  spec.fresh = read_texts(in);
  spec.folders = read_texts(in);
  in.list([&] {
    std::string path = in.text();
    spec.files.push_back({std::move(path), in.text()});
  });
  in.list([&] {
    std::string variable = in.text();
    spec.scratch.push_back({std::move(variable), in.text()});
  });
  in.list([&] {
    ports::Mount& mount = spec.mounts.emplace_back();
    mount.source = in.text();
    mount.target = in.text();
    mount.read_only = in.flag();
  });
  if (in.flag()) {
    ports::WarmStart& warm = spec.warm.emplace();
    warm.zygote = in.text();
    warm.fingerprint = in.text();
    warm.modules = read_texts(in);
    warm.own = read_texts(in);
  }
  spec.log_path = in.text();
  spec.log_cap_bytes = in.number<std::int64_t>();
  spec.slots.cpu_millis = in.number<std::int64_t>();
  spec.slots.memory_bytes = in.number<std::int64_t>();
  spec.slots.gpus = in.number<std::int64_t>();
  spec.run_cpu_millis_max = in.number<std::int64_t>();
  return spec;
}

struct Encoder {
  WireWriter& out;

  void operator()(const Hello& hello) const {
    write_type(out, Type::kHello);
    out.number(hello.version);
  }
  void operator()(const Start& start) const {
    write_type(out, Type::kStart);
    write_spec(out, start.spec);
  }
  void operator()(const Stop& stop) const {
    write_type(out, Type::kStop);
    write_id(out, stop.id);
    out.number(stop.grace.count());
  }
  void operator()(const Forget& forget) const {
    write_type(out, Type::kForget);
    out.list(forget.ids, [&](const model::AttemptId& id) { write_id(out, id); });
  }
  void operator()(const Welcome& welcome) const {
    write_type(out, Type::kWelcome);
    out.number(welcome.version);
  }
  void operator()(const ports::AttemptRunning& running) const {
    write_type(out, Type::kRunning);
    write_id(out, running.id);
    write_time(out, running.at);
    write_texts(out, running.notices);
  }
  void operator()(const ports::AttemptExited& exited) const {
    write_type(out, Type::kExited);
    write_id(out, exited.id);
    write_time(out, exited.at);
    write_exit(out, exited.exit);
  }
  void operator()(const Trouble& trouble) const {
    write_type(out, Type::kTrouble);
    out.text(trouble.what);
  }
};

Result<Message> read_message(WireReader& in) {
  switch (const auto type = in.number<std::uint8_t>(); static_cast<Type>(type)) {
    case Type::kHello:
      return Message(Hello{in.number<std::uint32_t>()});
    case Type::kStart:
      return Message(Start{read_spec(in)});
    case Type::kStop: {
      model::AttemptId id = read_id(in);
      return Message(Stop{std::move(id), Duration(in.number<Duration::rep>())});
    }
    case Type::kForget: {
      Forget forget;
      in.list([&] { forget.ids.push_back(read_id(in)); });
      return Message(std::move(forget));
    }
    case Type::kWelcome:
      return Message(Welcome{in.number<std::uint32_t>()});
    case Type::kRunning: {
      ports::AttemptRunning running;
      running.id = read_id(in);
      running.at = read_time(in);
      running.notices = read_texts(in);
      return Message(std::move(running));
    }
    case Type::kExited: {
      ports::AttemptExited exited;
      exited.id = read_id(in);
      exited.at = read_time(in);
      exited.exit = read_exit(in);
      return Message(std::move(exited));
    }
    case Type::kTrouble:
      return Message(Trouble{in.text()});
    default:
      return make_error(Code::kInvalidArgument, "a frame of unknown type {}", type);
  }
}

}  // namespace

std::string encode_frame(const Message& message) {
  WireWriter out;
  out.number(std::uint32_t{0});
  std::visit(Encoder{out}, message);
  std::string frame = out.take();
  const auto size = static_cast<std::uint32_t>(frame.size() - sizeof(std::uint32_t));
  std::memcpy(frame.data(), &size, sizeof size);
  return frame;
}

Result<Message> decode_payload(std::string_view payload) {
  WireReader in(payload);
  Result<Message> message = read_message(in);
  if (message && !in.ok_and_at_end()) {
    return make_error(Code::kInvalidArgument, "a frame of type {} does not hold what it should",
                      static_cast<unsigned>(payload.empty() ? 0 : payload.front()));
  }
  return message;
}

void write_id(WireWriter& out, const model::AttemptId& id) {
  out.text(id.run.str());
  out.number(id.task);
  out.number(id.attempt);
}

model::AttemptId read_id(WireReader& in) {
  model::AttemptId id;
  id.run = model::RunId(in.text());
  id.task = in.number<std::uint32_t>();
  id.attempt = in.number<std::uint32_t>();
  return id;
}

void write_exit(WireWriter& out, const ports::Exit& exit) {
  out.number(static_cast<std::uint8_t>(exit.kind));
  out.number(static_cast<std::int32_t>(exit.code));
  out.text(exit.detail);
  out.number(static_cast<std::uint8_t>((exit.stopped_by_us ? 1 : 0) | (exit.out_of_memory ? 2 : 0) |
                                       (exit.log_truncated ? 4 : 0)));
  out.number(exit.peak_memory_bytes);
  out.number(exit.cpu_time.count());
}

ports::Exit read_exit(WireReader& in) {
  ports::Exit exit;
  exit.kind =
      static_cast<ports::Exit::Kind>(in.up_to(static_cast<std::uint8_t>(ports::Exit::Kind::kLost)));
  exit.code = in.number<std::int32_t>();
  exit.detail = in.text();
  const auto flags = in.up_to<std::uint8_t>(7);
  exit.stopped_by_us = (flags & 1) != 0;
  exit.out_of_memory = (flags & 2) != 0;
  exit.log_truncated = (flags & 4) != 0;
  exit.peak_memory_bytes = in.number<std::int64_t>();
  exit.cpu_time = Duration(in.number<Duration::rep>());
  return exit;
}

void write_texts(WireWriter& out, const std::vector<std::string>& texts) {
  out.list(texts, [&](const std::string& text) { out.text(text); });
}

std::vector<std::string> read_texts(WireReader& in) {
  std::vector<std::string> texts;
  in.list([&] { texts.push_back(in.text()); });
  return texts;
}

void write_time(WireWriter& out, WallTime time) { out.number(time.time_since_epoch().count()); }

WallTime read_time(WireReader& in) { return WallTime(Duration(in.number<Duration::rep>())); }

}  // namespace cresset::process
