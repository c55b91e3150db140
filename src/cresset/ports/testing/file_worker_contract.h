#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/digest.h"
#include "cresset/ports/file_worker.h"

// What every FileWorker keeps. Instantiate with a World: files below one root, and a worker for
// them.
//   FileWorker& worker();
//   FileJobDone next();                                        waits for an answer that poll() has
//   not given yet std::string path(const std::string& name);                 absolute void
//   write(const std::string& path, const std::string& content, bool executable = false);   makes
//   folders void make_folder(const std::string& path); void link(const std::string& path, const
//   std::string& target);   a symbolic link with this text void make_fifo(const std::string& path);
//   std::optional<std::string> read(const std::string& path);  of a file; through links
//   bool exists(const std::string& path);                      anything, links not followed
namespace cresset::ports::testing {

template <class World>
class FileWorkerContract : public ::testing::Test {
 protected:
  Result<FileAnswer> ask(FileJob work) {
    const std::uint64_t job = ++last_job_;
    world_.worker().submit(job, std::move(work));
    FileJobDone done = world_.next();
    EXPECT_EQ(done.job, job);
    return std::move(done.answer);
  }

  template <class Answer>
  Answer get(FileJob work) {
    Result<FileAnswer> answer = ask(std::move(work));
    EXPECT_TRUE(answer) << answer.error().text();
    if (!answer || !std::holds_alternative<Answer>(*answer)) {
      ADD_FAILURE() << "no answer of the kind that belongs to the job";
      return {};
    }
    return std::get<Answer>(std::move(*answer));
  }

  Code code_of(FileJob work) {
    const Result<FileAnswer> answer = ask(std::move(work));
    return answer ? Code::kOk : answer.error().code;
  }

  std::optional<std::string> digest(const std::string& path, bool sync = false) {
    const Digests digests = get<Digests>(DigestPaths{{path}, sync});
    EXPECT_EQ(digests.digests.size(), 1u);
    return digests.digests.size() == 1 ? digests.digests[0] : std::nullopt;
  }

  std::string p(const std::string& name) { return world_.path(name); }

  World world_;
  std::uint64_t last_job_ = 0;
};
TYPED_TEST_SUITE_P(FileWorkerContract);

TYPED_TEST_P(FileWorkerContract, ReadsFilesByIndex) {
  this->world_.write(this->p("a"), "one");
  this->world_.write(this->p("b"), std::string("t\0wo", 4));
  this->world_.link(this->p("l"), "a");
  const FileContents contents = this->template get<FileContents>(
      ReadFiles{{this->p("b"), this->p("none"), this->p("a"), this->p("l")}});
  EXPECT_THAT(contents.contents,
              ::testing::ElementsAre(std::string("t\0wo", 4), std::nullopt, "one", "one"));
}

TYPED_TEST_P(FileWorkerContract, RefusesToReadMoreThanAllowed) {
  this->world_.write(this->p("a"), "12345");
  EXPECT_EQ(this->template get<FileContents>(ReadFiles{{this->p("a")}, 5}).contents.at(0), "12345");
  const Result<FileAnswer> answer = this->ask(ReadFiles{{this->p("a")}, 4});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
  EXPECT_THAT(answer.error().text(), ::testing::HasSubstr(this->p("a")));
}

TYPED_TEST_P(FileWorkerContract, RefusesToReadWhatIsNoFile) {
  this->world_.make_folder(this->p("folder"));
  this->world_.make_fifo(this->p("fifo"));
  EXPECT_EQ(this->code_of(ReadFiles{{this->p("folder")}}), Code::kFailedPrecondition);
  EXPECT_EQ(this->code_of(ReadFiles{{this->p("fifo")}}), Code::kFailedPrecondition);
}

TYPED_TEST_P(FileWorkerContract, AFilesDigestIsThatOfItsBytes) {
  this->world_.write(this->p("a"), "abc");
  EXPECT_EQ(this->digest(this->p("a")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(this->digest(this->p("a"), true),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(this->digest(this->p("none")), std::nullopt);
  this->world_.link(this->p("l"), "a");
  EXPECT_EQ(this->digest(this->p("l")), this->digest(this->p("a")));
  this->world_.link(this->p("dangling"), "none");
  EXPECT_EQ(this->digest(this->p("dangling")), std::nullopt);
}

// The folder of docs/formats/artifact-digest.md, put together by hand.
TYPED_TEST_P(FileWorkerContract, AFoldersDigestIsAsDocumented) {
  this->world_.write(this->p("d/a-b"), "x");
  this->world_.write(this->p("d/a/run.sh"), "abc", true);
  this->world_.make_folder(this->p("d/empty"));
  this->world_.link(this->p("d/l"), "../outside");
  Sha256 hash;
  hash.update("cresset folder 1\n");
  const auto add = [&](std::string_view path, std::string_view type, std::string_view size,
                       std::string_view content) {
    for (const std::string_view field : {path, type, size, content}) hash.update_field(field);
  };
  add("a", "d", "0", "");
  add("a-b", "f", "1", sha256_hex("x"));
  add("a/run.sh", "x", "3", sha256_hex("abc"));
  add("empty", "d", "0", "");
  add("l", "l", "10", "../outside");
  const std::string expected = hash.finish_hex();
  EXPECT_EQ(this->digest(this->p("d")), expected);
  EXPECT_EQ(this->digest(this->p("d"), true), expected);
}

TYPED_TEST_P(FileWorkerContract, AFoldersDigestTellsEveryChange) {
  const std::string d = this->p("d");
  this->world_.write(d + "/a", "1");
  this->world_.write(d + "/b", "2");
  std::vector<std::optional<std::string>> seen{this->digest(d)};
  const auto changed = [&] {
    seen.push_back(this->digest(d));
    for (std::size_t i = 0; i + 1 < seen.size(); ++i) EXPECT_NE(seen[i], seen.back()) << i;
  };
  this->world_.write(d + "/a", "3");
  changed();
  this->world_.write(d + "/a", "3", true);
  changed();
  this->world_.make_folder(d + "/e");
  changed();
  this->world_.write(d + "/e/c", "");
  changed();
  this->world_.link(d + "/f", "a");
  changed();
}

TYPED_TEST_P(FileWorkerContract, DigestsRefuseSpecialFiles) {
  this->world_.write(this->p("d/a"), "1");
  this->world_.make_fifo(this->p("d/fifo"));
  for (const std::string& path : {this->p("d"), this->p("d/fifo")}) {
    const Result<FileAnswer> answer = this->ask(DigestPaths{{path}, false});
    ASSERT_FALSE(answer) << path;
    EXPECT_EQ(answer.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(answer.error().text(), ::testing::HasSubstr("d/fifo"));
  }
}

TYPED_TEST_P(FileWorkerContract, ATailBeginsAtALine) {
  this->world_.write(this->p("log"), "first\nsecond\nthird\n");
  const auto tail = [this](std::int64_t bytes) {
    return this->template get<Tail>(ReadTail{this->p("log"), bytes}).text;
  };
  EXPECT_EQ(tail(4096), "first\nsecond\nthird\n");
  EXPECT_EQ(tail(19), "first\nsecond\nthird\n");
  EXPECT_EQ(tail(18), "second\nthird\n");
  EXPECT_EQ(tail(13), "second\nthird\n");
  EXPECT_EQ(tail(12), "third\n");
  EXPECT_EQ(tail(6), "third\n");
  EXPECT_EQ(tail(4), "ird\n");
  EXPECT_EQ(tail(0), "");
  EXPECT_EQ(this->template get<Tail>(ReadTail{this->p("none"), 10}).text, "");
}

TYPED_TEST_P(FileWorkerContract, ATailIsUtf8) {
  this->world_.write(this->p("log"), "a\xff\xc3\xa9\xed\xa0\x80z\n");
  EXPECT_EQ(this->template get<Tail>(ReadTail{this->p("log"), 100}).text,
            "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\n");
  this->world_.write(this->p("cut"), "xxxx\xe2\x82\xac!");
  EXPECT_EQ(this->template get<Tail>(ReadTail{this->p("cut"), 3}).text, "!");
}

TYPED_TEST_P(FileWorkerContract, MakesFoldersWithThoseAbove) {
  this->template get<Done>(MakeFolder{this->p("x/y/z")});
  EXPECT_TRUE(this->world_.exists(this->p("x/y/z")));
  this->template get<Done>(MakeFolder{this->p("x/y")});
  this->world_.write(this->p("file"), "");
  EXPECT_FALSE(this->ask(MakeFolder{this->p("file/below")}));
}

TYPED_TEST_P(FileWorkerContract, RemovesFoldersAndNotWhatLinksLeadTo) {
  this->world_.write(this->p("keep/a"), "1");
  this->world_.write(this->p("d/x/y"), "2");
  this->world_.link(this->p("d/l"), this->p("keep"));
  this->world_.make_fifo(this->p("d/fifo"));
  this->template get<Done>(RemoveFolder{this->p("d")});
  EXPECT_FALSE(this->world_.exists(this->p("d")));
  this->template get<Done>(RemoveFolder{this->p("d")});

  this->world_.link(this->p("l"), this->p("keep"));
  this->template get<Done>(RemoveFolder{this->p("l")});
  EXPECT_FALSE(this->world_.exists(this->p("l")));
  EXPECT_EQ(this->world_.read(this->p("keep/a")), "1");
}

TYPED_TEST_P(FileWorkerContract, CopiesFilesAndFolders) {
  this->world_.write(this->p("s/a"), "1");
  this->world_.write(this->p("s/b/run.sh"), "2", true);
  this->world_.make_folder(this->p("s/empty"));
  this->world_.link(this->p("s/b/up"), "../a");
  this->template get<Done>(CopyPath{this->p("s"), this->p("new/t")});
  EXPECT_EQ(this->world_.read(this->p("new/t/b/up")), "1");
  EXPECT_EQ(this->digest(this->p("new/t")), this->digest(this->p("s")));
  this->template get<Done>(CopyPath{this->p("s/a"), this->p("file")});
  EXPECT_EQ(this->world_.read(this->p("file")), "1");
  EXPECT_EQ(this->code_of(CopyPath{this->p("none"), this->p("t")}), Code::kNotFound);
}

TYPED_TEST_P(FileWorkerContract, ACopyReplacesItsTarget) {
  this->world_.write(this->p("s/a"), "new");
  this->world_.write(this->p("t/a"), "old");
  this->world_.write(this->p("t/b/c"), "old");
  this->template get<Done>(CopyPath{this->p("s"), this->p("t")});
  EXPECT_EQ(this->digest(this->p("t")), this->digest(this->p("s")));
  this->template get<Done>(CopyPath{this->p("s/a"), this->p("t")});
  EXPECT_EQ(this->world_.read(this->p("t")), "new");
  this->template get<Done>(CopyPath{this->p("s"), this->p("t")});
  EXPECT_EQ(this->world_.read(this->p("t/a")), "new");
}

TYPED_TEST_P(FileWorkerContract, ACopyRefusesLinksThatLeaveItsSource) {
  this->world_.write(this->p("secret"), "1");
  this->world_.write(this->p("t"), "as before");
  for (const std::string& target : {std::string("../secret"), std::string("/etc/passwd"),
                                    this->p("s/a"), std::string("b/../../secret")}) {
    this->world_.write(this->p("s/a"), "2");
    this->world_.link(this->p("s/l"), target);
    const Result<FileAnswer> answer = this->ask(CopyPath{this->p("s"), this->p("t")});
    ASSERT_FALSE(answer) << target;
    EXPECT_EQ(answer.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(answer.error().text(), ::testing::HasSubstr("s/l"));
    EXPECT_EQ(this->world_.read(this->p("t")), "as before");
    this->template get<Done>(RemoveFolder{this->p("s")});
  }
}

TYPED_TEST_P(FileWorkerContract, SaysWhatIsAtAPath) {
  this->world_.write(this->p("d/a"), "1");
  this->world_.link(this->p("l"), "d");
  this->world_.link(this->p("dangling"), "none");
  using enum PathKinds::Kind;
  const PathKinds kinds = this->template get<PathKinds>(
      StatPaths{{this->p("d"), this->p("d/a"), this->p("none"), this->p("l"), this->p("dangling"),
                 this->p("d/a/b")}});
  EXPECT_THAT(kinds.kinds, ::testing::ElementsAre(kFolder, kFile, kNone, kFolder, kNone, kNone));
}

TYPED_TEST_P(FileWorkerContract, AnswersEachJobOnce) {
  std::map<std::uint64_t, int> answers;
  for (std::uint64_t job = 1; job <= 50; ++job) {
    this->world_.write(this->p("f" + std::to_string(job)), std::to_string(job));
    this->world_.worker().submit(job, ReadFiles{{this->p("f" + std::to_string(job))}});
  }
  for (int i = 0; i < 50; ++i) {
    const FileJobDone done = this->world_.next();
    ++answers[done.job];
    ASSERT_TRUE(done.answer);
    EXPECT_EQ(std::get<FileContents>(*done.answer).contents.at(0), std::to_string(done.job));
  }
  EXPECT_EQ(answers.size(), 50u);
  EXPECT_TRUE(this->world_.worker().poll().empty());
}

REGISTER_TYPED_TEST_SUITE_P(FileWorkerContract, ReadsFilesByIndex, RefusesToReadMoreThanAllowed,
                            RefusesToReadWhatIsNoFile, AFilesDigestIsThatOfItsBytes,
                            AFoldersDigestIsAsDocumented, AFoldersDigestTellsEveryChange,
                            DigestsRefuseSpecialFiles, ATailBeginsAtALine, ATailIsUtf8,
                            MakesFoldersWithThoseAbove, RemovesFoldersAndNotWhatLinksLeadTo,
                            CopiesFilesAndFolders, ACopyReplacesItsTarget,
                            ACopyRefusesLinksThatLeaveItsSource, SaysWhatIsAtAPath,
                            AnswersEachJobOnce);

}  // namespace cresset::ports::testing
