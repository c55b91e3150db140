#include "cresset/dag/imports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::dag {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ImportedPackagesTest, AreThoseThatAreNeitherPythonsNorKfps) {
  EXPECT_THAT(imported_packages("import kfp\nfrom kfp import dsl\nfrom typing import *\n"
                                "import json, os.path\n"),
              IsEmpty());
  EXPECT_THAT(imported_packages("def f():\n    import torch\n\tfrom sklearn.datasets import x\n"),
              ElementsAre("sklearn", "torch"));
}

TEST(ImportedPackagesTest, ReadsEachFormOfAnImport) {
  EXPECT_THAT(imported_packages("import torch.nn as nn, numpy as np, json"),
              ElementsAre("numpy", "torch"));
  EXPECT_THAT(imported_packages("import torch # , pandas"), ElementsAre("torch"));
  EXPECT_THAT(imported_packages("import torch; x = a, b"), ElementsAre("torch"));
  EXPECT_THAT(imported_packages("from torch import (\n    nn,\n    optim,\n)\r\n"),
              ElementsAre("torch"));
  EXPECT_THAT(imported_packages("import torch\nimport torch"), ElementsAre("torch"));
}

TEST(ImportedPackagesTest, IsNotTakenInByOtherText) {
  for (const char* source :
       {"", "\n", "importtorch", "important = 1", "x = 'import'", "from . import a",
        "from .a import b", "from x to y", "from torch", "import", "import ", "import 3",
        "yield from torch", "raise X from torch"}) {
    EXPECT_THAT(imported_packages(source), IsEmpty()) << source;
  }
}

}  // namespace
}  // namespace cresset::dag
