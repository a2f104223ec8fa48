from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.compare.series import read_curves, source, tables
from bedrock_rft_sim.contract.metrics import NOVA_CSV_COLUMNS
from bedrock_rft_sim.errors import DataError

NOVA = (
    ",".join(NOVA_CSV_COLUMNS)
    + "\n1,1,0.324218,600.5,1.1,0.02,0.01,-1.5,1.5\n2,1,0.5,,1.0,0.03,0.02,-1.5,1.5\n"
)
Save = Callable[..., Path]


def archive(members: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content) if kind == tarfile.REGTYPE else 0
            entry.type = kind
            entry.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_nova_s_columns_become_our_names(save: Save) -> None:
    (found,) = read_curves(save("step_wise_training_metrics.csv", NOVA))
    assert found.kind == "nova-csv"
    assert found.series["critic_rewards_mean"].values == (0.324218, 0.5)
    assert found.series["critic_advantages_max"].values == (1.5, 1.5)
    assert found.series["response_length_mean"].steps == (1,)  # an empty cell is no value
    assert found.unknown == ()
    assert found.total_steps is None


@pytest.mark.parametrize("wrap", ["archive", "folder", "archive in a folder"])
def test_nova_s_csv_is_found_where_the_job_leaves_it(wrap: str, save: Save) -> None:
    plain = read_curves(save("plain/step_wise_training_metrics.csv", NOVA))[0]
    packed = archive({"manifest.json": b"{}", "a/step_wise_training_metrics.csv": NOVA.encode()})
    path = {
        "archive": lambda: save("output.tar.gz", packed),
        "folder": lambda: (
            save("j/training_artifacts/step_wise_training_metrics.csv", NOVA).parent.parent
        ),
        "archive in a folder": lambda: save("job/output.tar.gz", packed).parent,
    }[wrap]()
    assert read_curves(path)[0].series == plain.series


def test_new_columns_are_kept_and_listed(save: Save) -> None:
    text = "step_number,train_reward_mean,validation_reward_mean,host\n1,0.5,0.25,algo-1\n"
    (found,) = read_curves(save("step_wise_training_metrics.csv", text))
    assert found.series["validation_reward_mean"].values == (0.25,)
    assert found.unknown == ("validation_reward_mean",)
    assert any("host" in note for note in found.notes)


def test_rows_out_of_order_and_twice_are_sorted_and_the_last_wins(save: Save) -> None:
    text = "step_number,train_reward_mean\n3,0.3\n1,0.1\n3,0.4\n2,0.2\n"
    (found,) = read_curves(save("m.csv", text))
    assert found.series["critic_rewards_mean"].steps == (1, 2, 3)
    assert found.series["critic_rewards_mean"].values == (0.1, 0.2, 0.4)
    assert found.repeated_steps == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step_number,train_reward_mean\n2\n", "m.csv:2"),
        ("step_number,train_reward_mean\n1,nan\n", "m.csv:2"),
        ("step_number,train_reward_mean\n1,good\n", "m.csv:2"),
        ("step_number,train_reward_mean\n1,1_0\n", "m.csv:2"),
        ("step_number,train_reward_mean\nfirst,0.5\n", "no whole number"),
        ("step_number,train_reward_mean\n", "holds no metric values"),
        ("step_number,train_loss,train_loss\n1,2,3\n", "two columns have the same name"),
        ('step_number,train_reward_mean\n1,"0.5\n', "is no CSV"),
        ("name,price\nbread,2\n", "found: the columns name, price"),
        (",_step\n0,1\n", "no metrics that can be read"),
        ("\n,_step,train/reward\n,,\n", "holds no metric values"),
        ("", "is empty"),
        ("  \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is no text file"),
        (b"PK\x03\x04\x00\x00\xff", "is no text file"),
    ],
)
def test_a_damaged_or_foreign_table_is_one_message(
    text: str | bytes, message: str, save: Save
) -> None:
    with pytest.raises(DataError) as caught:
        read_curves(save("m.csv", text))
    assert message in str(caught.value)
    assert "m.csv" in str(caught.value)


def test_a_last_line_without_an_end_is_noted(save: Save) -> None:
    (found,) = read_curves(save("m.csv", "step_number,train_reward_mean\n1,0.5\n2,0.6"))
    assert "no line end" in found.notes[0]


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_cut_archive_is_one_message(keep: float, save: Save) -> None:
    noise = random.Random(0).randbytes(50_000)
    packed = archive({"model.bin": noise, "step_wise_training_metrics.csv": NOVA.encode()})
    with pytest.raises(DataError, match="damaged or cut short"):
        read_curves(save("output.tar.gz", packed[: int(len(packed) * keep)]))


def test_what_only_begins_as_an_archive_is_one_message(save: Save) -> None:
    with pytest.raises(DataError, match="damaged or cut short"):
        read_curves(save("output.tar.gz", b"\x1f\x8b" + b"x" * 50))


def test_a_link_in_an_archive_is_not_followed(save: Save) -> None:
    packed = archive({"step_wise_training_metrics.csv": b""}, kind=tarfile.SYMTYPE)
    with pytest.raises(DataError, match="holds no step_wise"):
        read_curves(save("output.tar.gz", packed))


def test_an_archive_is_unpacked_only_to_the_limit(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 2 * 1024**2)
    bomb = gzip.compress(bytes(8 * 1024**2))
    assert len(bomb) < 100_000
    packed = archive({"model.bin": bytes(8 * 1024**2)})
    with pytest.raises(DataError, match="too large"):
        read_curves(save("output.tar.gz", packed))
    with pytest.raises(DataError, match="output"):
        read_curves(save("bomb.tar.gz", bomb))
    with pytest.raises(DataError, match="too large"):
        read_curves(save("m.csv", b" " * (2 * 1024**2 + 1)))


def test_a_folder_of_tensorboard_s_tags_is_one_run_each(save: Save) -> None:
    head = "Wall time,Step,Value\n"
    for run in ("a", "b"):
        path = save(f"tb/run-{run}-tag-train_reward.csv", head + "10.5,1,0.25\n11.5,2,0.5\n")
        save(f"tb/run-{run}-tag-eval_reward.csv", head + "12,2,0.75\n")
        save(f"tb/run-{run}-tag-critic_rewards_max.csv", head + "12,2,1\n")
        save(f"tb/run-{run}-tag-train_lr.csv", head + "12,2,1e-5\n")
    found = read_curves(path.parent)
    assert [curves.name for curves in found] == ["tb#a", "tb#b"]
    for curves in found:
        assert curves.series["critic_rewards_mean"].values == (0.25, 0.5)
        assert curves.series["validation_rewards_mean"].values == (0.75,)
        assert curves.series["critic_rewards_max"].values == (1.0,)
        assert curves.unknown == ("train_lr",)


def test_tensorboard_s_later_wall_time_wins(save: Save) -> None:
    text = "Wall time,Step,Value\n30,2,0.9\n10,1,0.1\n20,2,0.2\n"
    (found,) = read_curves(save("run-x-tag-train_reward.csv", text))
    assert found.series["critic_rewards_mean"].values == (0.1, 0.9)
    assert found.repeated_steps == 1


def test_a_wandb_export_holds_one_run_per_column_and_keeps_the_extremes(save: Save) -> None:
    text = (
        '"Step","seed-0 - train/reward","seed-0 - train/reward__MIN","seed-0 - train/reward__MAX",'
        '"my - run - train/reward"\n"1","0.25","0.2","0.3","0.5"\n"2","0.5","0.4","0.6",""\n'
    )
    first, second = read_curves(save("wandb_export.csv", text))
    assert (first.name, second.name) == ("wandb_export.csv#seed-0", "wandb_export.csv#my - run")
    assert first.series["critic_rewards_mean"].values == (0.25, 0.5)
    assert first.series["train/reward__MAX"].values == (0.3, 0.6)
    assert set(first.unknown) == {"train/reward__MIN", "train/reward__MAX"}
    assert second.series["critic_rewards_mean"].steps == (1,)


def test_a_wandb_history_of_verl_metrics_is_one_run(save: Save) -> None:
    text = "_step,critic/rewards/mean,actor/entropy,_runtime\n0,0.5,1.5,3\n1,0.6,1.4,6\n"
    (found,) = read_curves(save("history.csv", text))
    assert found.series["critic_rewards_mean"].values == (0.5, 0.6)
    assert found.series["actor_entropy"].steps == (0, 1)
    assert found.unknown == ("_runtime",)


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.dictionaries(st.integers(0, 10**6), finite, min_size=1))
def test_what_is_written_as_csv_is_read_back(points: dict[int, float]) -> None:
    text = "step_number,train_reward_mean\n"
    text += "".join(f"{step},{value!r}\n" for step, value in points.items())
    curve = tables.read_nova(text, "x").series["critic_rewards_mean"]
    assert dict(zip(curve.steps, curve.values, strict=True)) == points
