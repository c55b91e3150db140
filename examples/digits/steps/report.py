"""Write the report: one HTML file that needs nothing else, and a short Markdown summary."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Output

from steps import IMAGE


def page(title, lead, sections):
    """Returns a whole HTML page; `sections` are (heading, text, body) in order."""
    style = """
      :root { color-scheme: light dark; --ground: #fcfcfb; --ink: #1b1b19; --soft: #65645f;
        --line: #e3e2dc; --mark: #2a6fdb; --mark-ink: #ffffff; --bad: #b4312b; }
      @media (prefers-color-scheme: dark) { :root { --ground: #191918; --ink: #f1f0ec;
        --soft: #a3a29b; --line: #383733; --mark: #5b9bf8; --mark-ink: #10100f; --bad: #f0837c; } }
      body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.25rem 4rem;
        background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
      h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
      h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
      p { color: var(--soft); margin: 0 0 1rem; max-width: 44rem; }
      .tiles { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.5rem 0 0; padding: 0; }
      .tiles div { display: flex; flex-direction: column-reverse; }
      .tiles dd { margin: 0; font-size: 1.7rem; font-weight: 600; }
      .tiles dt { color: var(--soft); font-size: .85rem; }
      .row { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr));
        gap: 1.5rem; }
      figure { margin: 0; }
      figcaption { font-size: .85rem; font-weight: 600; margin-bottom: .25rem; }
      svg { display: block; width: 100%; height: auto; overflow: visible; }
      svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
      .strong { fill: var(--ink); font-weight: 600; } .grid { stroke: var(--line); }
      .curve { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linejoin: round; }
      .dot { fill: var(--mark); } .reference { stroke: var(--soft); stroke-dasharray: 4 4; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
      th, td { padding: .3rem .75rem .3rem 0; text-align: right;
        border-bottom: 1px solid var(--line); }
      th { font-size: .85rem; font-weight: 600; color: var(--soft); }
      th:first-child, td:first-child { text-align: left; }
      .gallery { display: flex; flex-wrap: wrap; gap: 1.25rem; }
      .gallery figure { width: 6.5rem; } .gallery svg { border: 1px solid var(--line); }
      .gallery figcaption { font-weight: 400; color: var(--soft); margin-top: .35rem; }
      .gallery b { color: var(--bad); }
    """
    body = "".join(f"<h2>{head}</h2><p>{text}</p>{content}" for head, text, content in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head>"
        f"<body><h1>{title}</h1>{lead}{body}</body></html>\n"
    )


def line_chart(title, points, x_range, y_range, x_label, show, reference=None):
    """Returns a figure with one curve; `show` turns a y value into text."""
    left, right, top, bottom = 52, 420, 12, 200

    def place(x, y):
        across = (x - x_range[0]) / ((x_range[1] - x_range[0]) or 1)
        up = (y - y_range[0]) / ((y_range[1] - y_range[0]) or 1)
        return left + across * (right - left), bottom - up * (bottom - top)

    marks = []
    for quarter in range(5):
        value = y_range[0] + quarter / 4 * (y_range[1] - y_range[0])
        _, y = place(x_range[0], value)
        marks.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{show(value)}</text>')
    for value, anchor in [(x_range[0], "start"), (x_range[1], "end")]:
        x, _ = place(value, y_range[0])
        marks.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="{anchor}">{value:g}</text>')
    middle = (left + right) / 2
    marks.append(f'<text x="{middle}" y="{bottom + 18}" text-anchor="middle">{x_label}</text>')
    if reference:
        (x1, y1), (x2, y2) = (place(*point) for point in reference)
        marks.append(f'<line class="reference" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    placed = [place(x, y) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    marks.append(f'<polyline class="curve" points="{path}"/>')
    if len(points) <= 60:
        for (x, y), (px, py) in zip(points, placed, strict=True):
            hint = f"<title>{x_label} {x:g}: {show(y)}</title>"
            marks.append(f'<circle class="dot" cx="{px:.1f}" cy="{py:.1f}" r="3.5">{hint}</circle>')
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 440 225" role="img" '
        f'aria-label="{title}">{"".join(marks)}</svg></figure>'
    )


def heat_map(names, rows):
    """Returns a confusion matrix: true digits downwards, predicted ones across."""
    size, left, top = 40, 56, 44
    most = max(max(row) for row in rows) or 1
    span = size * len(names)
    marks = [
        f'<text x="{left + span / 2}" y="14" text-anchor="middle">predicted digit</text>',
        f'<text transform="translate(14 {top + span / 2}) rotate(-90)" text-anchor="middle">'
        "true digit</text>",
    ]
    for index, name in enumerate(names):
        at = index * size + size / 2
        marks.append(f'<text x="{left + at}" y="{top - 8}" text-anchor="middle">{name}</text>')
        marks.append(f'<text x="{left - 10}" y="{top + at + 4}" text-anchor="end">{name}</text>')
    for down, row in enumerate(rows):
        for across, count in enumerate(row):
            x, y = left + across * size, top + down * size
            # The square root keeps a single mistake visible beside dozens of hits.
            depth = (count / most) ** 0.5
            hint = f"<title>true {names[down]}, predicted {names[across]}: {count:g}</title>"
            marks.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{size - 2}" height="{size - 2}" rx="3" '
                f'style="fill: color-mix(in srgb, var(--mark) {depth:.0%}, var(--ground)); '
                f'stroke: var(--line)">{hint}</rect>'
            )
            if count:
                ink = "var(--mark-ink)" if depth > 0.55 else "var(--ink)"
                marks.append(
                    f'<text x="{x + size / 2}" y="{y + size / 2 + 4}" text-anchor="middle" '
                    f'style="fill: {ink}; pointer-events: none">{count:g}</text>'
                )
    return (
        f'<figure style="max-width: 32rem"><svg viewBox="0 0 {left + span + 4} {top + span + 4}" '
        f'role="img" aria-label="Confusion matrix">{"".join(marks)}</svg></figure>'
    )


def mistakes_gallery(images, labels, probabilities):
    """Returns the wrongly named images, the most certain mistakes first."""
    import numpy

    predicted = probabilities.argmax(axis=1)
    certainty = probabilities.max(axis=1)
    wrong = numpy.flatnonzero(predicted != labels)
    wrong = wrong[numpy.argsort(-certainty[wrong], kind="stable")]
    if not len(wrong):
        return "<p>None: every test image was named right.</p>"
    figures = []
    for index in wrong[:24]:
        pixels = "".join(
            f'<rect x="{x}" y="{y}" width="1.02" height="1.02" fill-opacity="{ink:.2f}"/>'
            for (y, x), ink in numpy.ndenumerate(images[index, 0])
            if ink > 0
        )
        true, named = labels[index], predicted[index]
        figures.append(
            f'<figure><svg viewBox="0 0 8 8" role="img" aria-label="A {true} taken for a {named}" '
            f'fill="currentColor">{pixels}</svg><figcaption>{true} taken for <b>{named}</b><br>'
            f"{certainty[index]:.0%} sure</figcaption></figure>"
        )
    return f'<div class="gallery">{"".join(figures)}</div>'


def table(columns, rows):
    """Returns a table of texts."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


@dsl.component(
    base_image=IMAGE, additional_funcs=[page, line_chart, heat_map, mistakes_gallery, table]
)
def write_report(
    ranking: list,
    history: Input[Metrics],
    metrics: Input[Metrics],
    classification: Input[ClassificationMetrics],
    predictions: Input[Dataset],
    report: Output[HTML],
    summary: Output[Markdown],
):
    """Draws what the run found.

    Args:
        ranking: The trials of the sweep, the best one first.
        history: Loss and accuracy of every epoch.
        metrics: The final scores.
        classification: Confusion matrix and ROC curve.
        predictions: The test images with the model's probabilities.
        report: The page.
        summary: The same in ten lines.
    """
    import json
    import pathlib

    import numpy

    epochs = json.loads(pathlib.Path(history.path).read_text())
    scores = metrics.metadata
    names = [
        spec["displayName"]
        for spec in classification.metadata["confusionMatrix"]["annotationSpecs"]
    ]
    matrix = [row["row"] for row in classification.metadata["confusionMatrix"]["rows"]]
    roc = classification.metadata["confidenceMetrics"]
    with numpy.load(predictions.path) as data:
        gallery = mistakes_gallery(data["images"], data["labels"], data["probabilities"])

    tiles = {
        "accuracy": f"{scores['accuracy']:.2%}",
        "mean F1": f"{scores['f1']:.4f}",
        "area under ROC": f"{scores['roc_auc']:.4f}",
        "mistakes": f"{scores['mistakes']:g} of {scores['test_images']:g}",
    }
    lead = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())

    # Accuracies lie close to 1, so that their axis starts where the worst epoch is.
    worst = min(epoch["accuracy"] for epoch in epochs)
    floor = int(worst * 20) / 20 if worst < 1 else 0.95
    span = (epochs[0]["epoch"], epochs[-1]["epoch"])
    curves = line_chart(
        "Training loss",
        [(epoch["epoch"], epoch["loss"]) for epoch in epochs],
        span,
        (0, max(epoch["loss"] for epoch in epochs)),
        "epoch",
        "{:.2f}".format,
    ) + line_chart(
        "Validation accuracy",
        [(epoch["epoch"], epoch["accuracy"]) for epoch in epochs],
        span,
        (floor, 1),
        "epoch",
        "{:.1%}".format,
    )
    roc_chart = line_chart(
        "True-positive rate over false-positive rate",
        [(point["falsePositiveRate"], point["recall"]) for point in roc],
        (0, 1),
        (0, 1),
        "false-positive rate",
        "{:.0%}".format,
        reference=[(0, 0), (1, 1)],
    )
    settings = [
        [
            f"{trial['width']:g}",
            f"{trial['learning_rate']:g}",
            f"{trial['dropout']:g}",
            f"{trial['accuracy']:.2%}",
        ]
        for trial in ranking
    ]
    columns = ["width", "learning rate", "dropout", "validation accuracy"]
    counts = numpy.array(matrix)
    by_digit = [
        [name, f"{hits / max(named, 1):.1%}", f"{hits / max(true, 1):.1%}", f"{true:g}"]
        for name, hits, named, true in zip(
            names, counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1), strict=True
        )
    ]
    sections = [
        ("Training", "The chosen setting, epoch by epoch.", f'<div class="row">{curves}</div>'),
        (
            "Where it goes wrong",
            "Each row is a true digit, each column the name that the model gave it.",
            heat_map(names, matrix),
        ),
        ("Mistakes", "The most certain ones first.", gallery),
        (
            "By digit",
            "Precision: how often the model is right when it says this digit. "
            "Recall: how many of these digits it finds.",
            table(["digit", "precision", "recall", "test images"], by_digit),
        ),
        (
            "ROC",
            "All ten digits against the rest, taken together; the dashes are pure guessing.",
            f'<div class="row">{roc_chart}</div>',
        ),
        (
            "Sweep",
            "The settings that were tried; the first one was trained further.",
            table(columns, settings),
        ),
    ]
    title = "Handwritten digits: how good is the model?"
    pathlib.Path(report.path).write_text(
        page(title, f'<dl class="tiles">{lead}</dl>', sections), encoding="utf-8"
    )

    lines = ["# Handwritten digits", "", "| score | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in tiles.items()]
    lines += ["", "## Sweep", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(row)} |" for row in settings]
    pathlib.Path(summary.path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
