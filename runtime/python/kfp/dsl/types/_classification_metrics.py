"""Metrics of a classifier: ROC curve and confusion matrix, whole or per slice of the data."""

from __future__ import annotations

from kfp.dsl.types._artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ClassificationMetrics(Artifact):
    """Keeps `confidenceMetrics` (the ROC curve) and `confusionMatrix` in its metadata."""

    schema_title = "system.ClassificationMetrics"

    def log_roc_data_point(self, fpr: float, tpr: float, threshold: float) -> None:
        point = {"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr}
        self.metadata.setdefault("confidenceMetrics", []).append(point)

    def log_roc_curve(
        self, fpr: Sequence[float], tpr: Sequence[float], threshold: Sequence[float]
    ) -> None:
        if not len(fpr) == len(tpr) == len(threshold):
            raise ValueError(
                "fpr, tpr and threshold must be equally long, "
                f"but have {len(fpr)}, {len(tpr)} and {len(threshold)} values"
            )
        for point in zip(fpr, tpr, threshold):
            self.log_roc_data_point(*point)

    def set_confusion_matrix_categories(self, categories: Iterable[str]) -> None:
        """Starts a matrix of zeros."""
        names = list(categories)
        self.metadata["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": name} for name in names],
            "rows": [{"row": [0] * len(names)} for _ in names],
        }

    def log_confusion_matrix_row(self, row_category: str, row: Sequence[float]) -> None:
        rows, names = self._confusion_matrix()
        if len(row) != len(names):
            raise ValueError(
                f"a row of this confusion matrix has {len(names)} values, not {len(row)}"
            )
        rows[_index(names, row_category)] = {"row": list(row)}

    def log_confusion_matrix_cell(self, row_category: str, col_category: str, value: float) -> None:
        rows, names = self._confusion_matrix()
        rows[_index(names, row_category)]["row"][_index(names, col_category)] = value

    def log_confusion_matrix(
        self, categories: Sequence[str], matrix: Sequence[Sequence[float]]
    ) -> None:
        size = len(categories)
        if len(matrix) != size or any(len(row) != size for row in matrix):
            raise ValueError(f"{size} categories need a matrix of {size} rows and {size} columns")
        self.set_confusion_matrix_categories(categories)
        # By position, not by name: categories may repeat.
        rows, _ = self._confusion_matrix()
        rows[:] = [{"row": list(row)} for row in matrix]

    def _confusion_matrix(self) -> tuple[list[dict[str, list[float]]], list[str]]:
        matrix = self.metadata.get("confusionMatrix")
        if matrix is None:
            raise ValueError("call set_confusion_matrix_categories() first")
        return matrix["rows"], [spec["displayName"] for spec in matrix["annotationSpecs"]]


def _index(names: list[str], category: str) -> int:
    if category not in names:
        raise ValueError(f"no category {category!r}; the confusion matrix has {names}")
    return names.index(category)


class SlicedClassificationMetrics(Artifact):
    """Keeps one set of classification metrics per slice in its metadata, as `evaluationSlices`."""

    schema_title = "system.SlicedClassificationMetrics"

    def log_roc_reading(self, slice: str, threshold: float, tpr: float, fpr: float) -> None:
        self._of(slice).log_roc_data_point(fpr=fpr, tpr=tpr, threshold=threshold)

    def load_roc_readings(self, slice: str, readings: Iterable[Sequence[float]]) -> None:
        """Each reading is threshold, true positive rate, false positive rate."""
        metrics = self._of(slice)
        for threshold, tpr, fpr in readings:
            metrics.log_roc_data_point(fpr=fpr, tpr=tpr, threshold=threshold)

    def set_confusion_matrix_categories(self, slice: str, categories: Iterable[str]) -> None:
        self._of(slice).set_confusion_matrix_categories(categories)

    def log_confusion_matrix_row(self, slice: str, row_category: str, row: Sequence[float]) -> None:
        self._of(slice).log_confusion_matrix_row(row_category, row)

    def log_confusion_matrix_cell(
        self, slice: str, row_category: str, col_category: str, value: float
    ) -> None:
        self._of(slice).log_confusion_matrix_cell(row_category, col_category, value)

    def load_confusion_matrix(
        self, slice: str, categories: Sequence[str], matrix: Sequence[Sequence[float]]
    ) -> None:
        self._of(slice).log_confusion_matrix(categories, matrix)

    def _of(self, name: str) -> ClassificationMetrics:
        """A view of one slice: it shares the slice's metadata, so what it logs lands there."""
        slices = self.metadata.setdefault("evaluationSlices", [])
        for entry in slices:
            if entry["slice"] == name:
                break
        else:
            entry = {"slice": name, "sliceClassificationMetrics": {}}
            slices.append(entry)
        view = ClassificationMetrics()
        view.metadata = entry["sliceClassificationMetrics"]
        return view
