"""What the page of a run holds, without a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.cli.main import main
from tests.report.conftest import DIGITS, Report, change, train

LOADING = ("src", "href", "action", "data", "poster", "srcset", "background", "xlink:href")
VOID = {"meta", "img", "link", "br", "input", "hr", "base"}


class Page(HTMLParser):
    """The tags of a page, each with its attributes, and whether they are well nested."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def words(page: str) -> str:
    """The text of a page, its style and script left out, blanks as one."""
    shown = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", "".join(Page(shown).text))


def test_it_is_one_file_that_asks_for_nothing_else(digits: Path, report: Report) -> None:
    page = Page(report(digits))
    assert page.open == []
    for tag, attributes in page.tags:
        for name in LOADING:
            if name in attributes:
                assert attributes[name].startswith(("#", "data:image/png;base64,")), (tag, name)
    assert not page.named("link")
    assert not page.named("iframe")
    (policy,) = (m["content"] for m in page.named("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe-eval" not in policy
    assert "script-src 'sha256-" in policy
    (style,) = re.findall(r"<style>(.*?)</style>", report(digits), re.S)
    assert "url(" not in style
    assert "@import" not in style


def test_it_is_the_same_page_every_time(digits: Path, report: Report) -> None:
    assert report(digits) == report(digits)


def test_the_program_stands_beside_its_backward(digits: Path, report: Report) -> None:
    text = words(report(digits))
    assert "for b,j,r,c: g[b,j] += W0[j,r,c] * x[b,r,c]" in text
    model = eb.load(DIGITS)
    for line in str(model.backward).splitlines():
        if ".grad" in line:
            assert line in text
    assert "for j,r,c: W0[j,r,c] -= 0.2*W0_velocity[j,r,c]" in text
    row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*W0\.grad(?:(?!</tr>).)*</tr>", report(digits), re.S)
    assert row is not None
    assert words(row[0]).split()[0] == "15"  # beside the line that reads W0


def planned(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What `einbatch plan` says of a step: operations on numbers, and bytes at the peak."""
    capsys.readouterr()
    assert main(["plan", str(DIGITS)]) == 0
    said = capsys.readouterr().out
    (flops,) = re.findall(r"all statements ([\d,]+)", said)
    (peak,) = re.findall(r"peak +(.*)", said)
    return f"{flops.replace(',', ' ')} operations", peak


def test_it_has_every_part(
    digits: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    page = report(digits)
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"program", "curves", "classes", "weights", "plan", "settings"} <= set(ids)
    assert {a["href"][1:] for a in parsed.named("a")} <= set(ids)
    labels = [svg["aria-label"] for svg in parsed.named("svg")]
    assert [label.split(" over ")[0] for label in labels] == ["loss", "accuracy"]
    pictures = parsed.named("img")
    assert len(pictures) == 64
    assert pictures[3]["alt"].startswith("W0[3,·,·], 8 × 8, from −")
    text = words(page)
    for part in (
        "finished",
        *planned(capsys),
        "[j,r,c] × [b,r,c] → [b,j]",
        "optimizersgd",
        "lr0.2",
        "epochs4",
        "data/digits.npz",
        "1 797",
        "Final numbers",
        "The most frequent mistakes",
    ):
        assert part in text, part


def test_the_matrix_is_of_the_examples_held_out(digits: Path, report: Report) -> None:
    """Its accuracy is the one in the log, and its numbers are those examples."""
    page = report(digits)
    best = json.loads((digits / "checkpoints" / "best.json").read_text("utf-8"))
    lines = (digits / "log.jsonl").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    (end,) = (e for e in entries if e["event"] == "epoch" and e["epoch"] == best["epoch"])
    logged = end["reports"]["holdout"]["accuracy"]
    (matrix,) = re.findall(r'<table class="matrix">.*?</table>', page, re.S)
    cells = re.findall(r'<td class="(right|wrong|none)".*?>([\d·]+)</td>', matrix)
    assert len(cells) == 100
    counts = np.array([0 if text == "·" else int(text) for _, text in cells]).reshape(10, 10)
    assert counts.sum() == 359
    assert np.trace(counts) / 359 == pytest.approx(logged, abs=1e-6)
    assert f"at step {best['step']}" in words(page)


HOSTILE = "</script><script>pwned=1</script><img src=x onerror=pwned=1>'\"{{7*7}}&lt;"


def test_nothing_that_a_run_holds_becomes_markup(copy: Path, report: Report) -> None:
    def spoil(facts: dict[str, object]) -> None:
        program = facts["program"]
        assert isinstance(program, dict)
        program["text"] = f"# {HOSTILE}\n{program['text']}# </style></code>{HOSTILE}\n"
        program["path"] = f"programs/{HOSTILE}.ein"
        facts["backend"] = HOSTILE
        facts["options"] = {HOSTILE: HOSTILE, "batch": 32}
        facts["extents"] = {**facts["extents"], HOSTILE: 3}  # type: ignore[dict-item]
        facts["versions"] = {HOSTILE: HOSTILE}
        facts["data"] = {"image": HOSTILE, "label": "data/digits.npz"}

    change(copy, spoil)
    with (copy / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"event": "end", "step": 9, "reason": HOSTILE}) + "\n")
    page = Page(report(copy))
    clean = {"script": 1, "style": 1, "img": 64}
    assert {tag: len(page.named(tag)) for tag in clean} == clean
    assert "".join(page.text).count(HOSTILE) >= 7
    assert not any(name.startswith("on") for _, a in page.tags for name in a)


def test_out_names_the_file(digits: Path, tmp_path: Path, report: Report) -> None:
    report(digits, "--out", tmp_path / "other.html")
    assert (tmp_path / "other.html").read_text("utf-8").startswith("<!doctype html>")


def test_a_program_without_classes_or_pictures(tmp_path: Path, report: Report) -> None:
    program = tmp_path / "line.ein"
    program.write_text(
        "batch b < B\ninput x[b] = [1, 2, 3]\ninput y[b] = [2, 4, 6]\nparam w = 0\n"
        "for b: loss[b] = (w*x[b] - y[b])^2\nminimize loss\ntrain sgd(lr=0.1), epochs=5\n",
        "utf-8",
    )
    page = Page(report(train(program, tmp_path / "run")))
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert "classes" not in ids
    assert not page.named("img")
    assert "line.ein" in "".join(page.text)


def test_data_that_are_not_there_any_more(copy: Path, report: Report) -> None:
    change(copy, lambda facts: facts["program"].update(path="/no/such/folder/digits.ein"))
    text = words(report(copy))
    assert "`data/digits.npz` cannot be read: no such file or directory." in text
    assert "Final numbers" in text


def test_arrays_that_a_caller_gave(tmp_path: Path, report: Report) -> None:
    model = eb.load(DIGITS)
    random = np.random.default_rng(0)
    model.fit(
        image=random.random((40, 8, 8)), label=random.integers(0, 10, 40),
        epochs=1, checkpoint=tmp_path / "run",
    )  # fmt: skip
    text = words(report(tmp_path / "run"))
    assert "`image` was given as an array, which a run does not keep" in text


def test_examples_that_were_held_out_by_themselves(tmp_path: Path, report: Report) -> None:
    digits = np.load(DIGITS.parent / "data" / "digits.npz")
    image, label = digits["image"][:300], digits["label"][:300]
    np.savez(tmp_path / "apart.npz", image=image, label=label)
    folder = train(DIGITS, tmp_path / "run", "--epochs", 1, "--holdout", tmp_path / "apart.npz")
    text = words(report(folder))
    assert "Of 300 predictions, " in text
    assert f"(all examples held out, {tmp_path / 'apart.npz'}, at step 57)" in text
    (log,) = re.findall(r'"holdout": {"accuracy": ([\d.]+)', (folder / "log.jsonl").read_text())
    assert f"{100 * float(log):.4g} % are right" in text


def test_labels_keep_their_names(tmp_path: Path, report: Report) -> None:
    program = tmp_path / "flowers.ein"
    program.write_text(
        'batch b < B\nindex k < 2\ninput x[b] from "f.csv"\n'
        'input kind[b] in k from "f.csv"\nparam w[k] ~ normal(0, 1)\n'
        "s[b,k] = w[k]*x[b]\nloss[b] = logsumexp[k](s[b,k]) - s[b,kind[b]]\nminimize loss\n"
        "train sgd(lr=0.1), epochs=3\n",
        "utf-8",
    )
    (tmp_path / "f.csv").write_text("x,kind\n1,rose\n-1,<aster>\n2,rose\n-3,<aster>\n", "utf-8")
    page = report(train(program, tmp_path / "run"))
    (head,) = re.findall(r'<table class="matrix">.*?<thead>(.*?)</thead>', page, re.S)
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == ["&lt;aster&gt;", "rose", "recall"]


def test_an_optimizer_of_pythons_own(tmp_path: Path, report: Report) -> None:
    model = eb.load(DIGITS)
    model.fit(optimizer="adam", lr=0.01, epochs=1, checkpoint=tmp_path / "run")
    text = words(report(tmp_path / "run"))
    assert "The optimizer or its settings were not those of the file" in text
    assert "for j: C0_moment1[j] = 0.9*C0_moment1[j] + (1 - 0.9)*C0.grad[j]" in text
    assert "velocity" not in text
    assert "optimizersgd" not in text


def test_a_learning_rate_that_changes_has_a_curve(tmp_path: Path, report: Report) -> None:
    program = tmp_path / "digits.ein"
    text = DIGITS.read_text("utf-8").replace("lr=0.2", "lr=0.2*min(1, step/50)*(1 - step/steps)")
    program.write_text(text.replace('"data/', '"'), "utf-8")
    data = DIGITS.parent / "data" / "digits.npz"
    (tmp_path / "digits.npz").write_bytes(data.read_bytes())
    page = Page(report(train(program, tmp_path / "run", "--epochs", 2)))
    labels = [svg["aria-label"] for svg in page.named("svg")]
    assert labels[-1] == "learning rate over 90 steps; at the end: lr 0"
    assert "lr0.2*min(1, step/50)*(1 - step/steps)" in "".join(page.text)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{", '{"event": 3}', "null"], "3 lines of log.jsonl cannot be read and are left out: 1"),
        (['{"event": "epoch", "step": 1}'], "1 line of log.jsonl cannot be read"),
        (['{"event": "step", "step": 7, "loss": null}'], "NaN or infinite at 1 steps"),
        ([], "The log of this run holds no numbers."),
        (['{"event": "start", "step": 0}'], "running, or cut off"),
        (
            ['{"event": "start", "step": 0}', '{"event": "step", "step": 4, "loss": 1}',
             '{"event": "start", "step": 3}'],
            "The run was resumed after step 3.",
        ),
        (['{"event": "end", "step": 3, "reason": "early"}'], "stopped early"),
        (['[' * 100_000], "1 line of log.jsonl cannot be read"),
        (['{"event": "step", "step": 1, "loss": 1e999, "reports": [3]}'], "first at step 1"),
        (['{"event": "step", "step": 1, "loss": 1' + "0" * 400 + "}"], "first at step 1"),
    ],
)  # fmt: skip
def test_odd_logs(copy: Path, report: Report, lines: list[str], said: str) -> None:
    (copy / "log.jsonl").write_text("\n".join(lines), "utf-8")
    assert said in words(report(copy))


def test_no_log_and_no_checkpoints(
    copy: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    (copy / "log.jsonl").unlink()
    shutil.rmtree(copy / "checkpoints")
    text = words(report(copy))
    assert "There is no log of this run." in text
    assert "There is no checkpoint to take the weights from." in text
    assert planned(capsys)[0] in text


def test_a_damaged_checkpoint_is_told_and_left_out(copy: Path, report: Report) -> None:
    best = json.loads((copy / "checkpoints" / "best.json").read_text("utf-8"))["path"]
    path = copy / "checkpoints" / best / "params.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    text = words(report(copy))
    assert f"The checkpoint {best} is left out: it is damaged (params.safetensors: its" in text
    assert len(re.findall(r"W0\[\d+,·,·\]", report(copy))) == 128  # alt and title of each


@pytest.mark.parametrize("best", ["{", "[]", '{"path": 3}', '{"path": "../../../etc"}'])
def test_a_damaged_note_of_the_best(copy: Path, report: Report, best: str) -> None:
    (copy / "checkpoints" / "best.json").write_text(best, "utf-8")
    newest = max(path.name for path in (copy / "checkpoints").glob("step-*"))
    assert f"params of step {int(newest.removeprefix('step-'))}" in words(report(copy))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "`run.json` cannot be read: no such file or directory"),
        ("", "`run.json` is damaged: it is no JSON"),
        ("[" * 100_000, "`run.json` is damaged: it is no JSON"),
        ("\udcff", "`run.json` is damaged: it is no JSON"),
        ("[1]", "`run.json` has the format `None`, not 1"),
        ('{"format": 2}', "`run.json` has the format `2`, not 1"),
        ('{"format": 1, "program": {"text": 3}}', "`run.json` is damaged: it holds no program"),
    ],
)
def test_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert main(["report", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"error[E0832]: `{tmp_path}` is not the folder of a run: {reason}\n"
        "  help: name the folder that `einbatch run --checkpoint` wrote\n"
    )
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("value", [None, "x", [1], {"b": None}, {"B": 1e400}, {"j": 10**400}])
def test_facts_of_other_kinds(copy: Path, report: Report, value: object) -> None:
    names = ("options", "extents", "versions", "data", "seed", "dtype", "backend")
    change(copy, lambda facts: facts.update(dict.fromkeys(names, value), dtype=None))
    assert "digits.ein" in report(copy)


def test_a_program_that_is_not_right(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy, lambda facts: facts["program"].update(text="batch b < \n"))
    assert main(["report", str(copy)]) == 1
    assert "error[E0" in capsys.readouterr().err


def test_what_is_missing_is_said(
    digits: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "PIL" else name)
    assert main(["report", str(digits)]) == 1
    assert capsys.readouterr().err == (
        "error[E0831]: reports are made with `PIL`, which this installation does not have\n"
        "  help: install what reports need: `pip install 'einbatch[report]'`\n"
    )


def test_where_it_cannot_be_written(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(digits), "--out", "/no/such/folder/r.html"]) == 1
    assert "E0609" in capsys.readouterr().err
