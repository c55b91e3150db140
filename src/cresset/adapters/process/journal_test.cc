#include "cresset/adapters/process/journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "cresset/adapters/process/testing/samples.h"
#include "cresset/adapters/process/unix_socket.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  Journal::Opened open() { return Journal::open(dir_).value(); }
  static Record started(std::uint32_t task) {
    Record record;
    record.token = 3;
    record.process = {1000, 5, 6};
    record.running = sample_running(task);
    return record;
  }
  static Record ended(std::uint32_t task) {
    Record record = started(task);
    record.exited = sample_exited(task);
    return record;
  }
  // Task 1 has ended, 2 runs, 3 is about to start, 4 was forgotten.
  static void fill(Journal& journal) {
    for (std::uint32_t task = 1; task <= 4; ++task) {
      journal.starting(sample_id(task), 3);
      if (task != 3) journal.started(sample_id(task), started(task));
    }
    journal.ended(sample_id(1), ended(1));
    journal.ended(sample_id(4), ended(4));
    journal.forgotten({sample_id(4)});
    ASSERT_TRUE(journal.flush());
  }
  static void expect_filled(const Records& records) {
    ASSERT_EQ(records.size(), 3u);
    const Record& first = records.at(sample_id(1));
    EXPECT_EQ(first.token, 3u);
    EXPECT_EQ(first.exited->exit.detail, "killed");
    EXPECT_EQ(first.running->notices.size(), 2u);
    const Record& second = records.at(sample_id(2));
    EXPECT_EQ(second.process, (ProcessIdentity{1000, 5, 6}));
    EXPECT_FALSE(second.exited);
    EXPECT_TRUE(second.this_boot);
    EXPECT_FALSE(records.at(sample_id(3)).running);
  }
  [[nodiscard]] std::string bytes() const {
    std::ifstream file(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }

  ports::testing::TempFolder folder_;
  std::string file_ = folder_ / "d/journal";
  posix::UniqueFd dir_ = open_private_dir(folder_ / "d").value();
};

TEST_F(JournalTest, RemembersWhatWasWritten) {
  {
    Journal::Opened opened = open();
    EXPECT_TRUE(opened.records.empty());
    fill(opened.journal);
  }
  const Journal::Opened again = open();
  EXPECT_EQ(again.remark, "");
  expect_filled(again.records);
}

TEST_F(JournalTest, GoesOnBehindEveryPrefix) {
  Journal::Opened first = open();
  fill(first.journal);
  const std::string whole = bytes();
  const JournalText text = read_journal(whole, read_boot_id());
  EXPECT_EQ(text.whole_bytes, whole.size());
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    put(whole.substr(0, size));
    const JournalText known = read_journal(whole.substr(0, size), read_boot_id());
    Journal::Opened torn = open();
    ASSERT_EQ(torn.records.size(), known.records.size()) << size;
    ASSERT_EQ(torn.remark.empty(), known.whole_bytes == size) << size;
    torn.journal.ended(sample_id(9), ended(9));
    ASSERT_TRUE(torn.journal.flush());
    const Journal::Opened after = open();
    ASSERT_EQ(after.remark, "") << size;
    ASSERT_EQ(after.records.size(), known.records.size() + 1) << size;
  }
}

TEST_F(JournalTest, AChangedByteEndsWhatIsBelieved) {
  Journal::Opened opened = open();
  fill(opened.journal);
  const std::string whole = bytes();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    const JournalText text = read_journal(changed, read_boot_id());
    ASSERT_LE(text.whole_bytes, at);
  }
}

TEST_F(JournalTest, AnotherBootsProcessesAreToldApart) {
  Journal::Opened opened = open();
  fill(opened.journal);
  const JournalText text = read_journal(bytes(), "another boot");
  EXPECT_FALSE(text.records.at(sample_id(2)).this_boot);
  EXPECT_FALSE(text.records.at(sample_id(3)).this_boot);
}

TEST_F(JournalTest, RewritingKeepsWhatIsGivenAndNothingElse) {
  Journal::Opened opened = open();
  fill(opened.journal);
  const std::size_t before = opened.journal.size();
  ASSERT_TRUE(opened.journal.rewrite({{sample_id(1), ended(1)}, {sample_id(2), started(2)}}));
  EXPECT_LT(opened.journal.size(), before);
  EXPECT_EQ(opened.journal.size(), bytes().size());
  opened.journal.starting(sample_id(3), 3);
  ASSERT_TRUE(opened.journal.flush());
  expect_filled(open().records);
}

}  // namespace
}  // namespace cresset::process
