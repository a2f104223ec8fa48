from __future__ import annotations

from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS, NOVA_CSV_COLUMNS
from bedrock_rft_sim.runs.metrics import mantle_event, nova_csv_row
from bedrock_rft_sim.runs.metrics.translate import mantle_data

VALUES = {
    "step": 4,
    "total_steps": 67,
    "epoch": 1,
    "critic_rewards_mean": 0.4375,
    "response_length_mean": 519.09375,
    "actor_entropy": 0.6235736,
    "actor_grad_norm": 0.00086673,
    "critic_advantages_mean": 0.0136226,
    "critic_advantages_min": -1.5,
    "critic_advantages_max": 1.5,
    "local_kl": 0.1,
}


def test_an_event_carries_the_eight_keys_and_nothing_local() -> None:
    data = mantle_data(VALUES)
    assert tuple(data) == MANTLE_EVENT_KEYS
    assert data["critic_rewards_mean"] == 0.4375
    assert data["actor_pg_loss"] is None


def test_the_event_is_worded_as_the_published_one() -> None:
    event = mantle_event(VALUES, created_at=7)
    assert event["message"] == "Step 4/67: training metrics"
    assert (event["type"], event["created_at"]) == ("metrics", 7)
    assert event["data"] == mantle_data(VALUES)


def test_novas_row_has_its_columns_in_order() -> None:
    row = nova_csv_row(VALUES)
    assert tuple(row) == NOVA_CSV_COLUMNS
    assert list(row.values()) == [
        4, 1, 0.4375, 519.09375, 0.6235736, 0.00086673, 0.0136226, -1.5, 1.5,
    ]  # fmt: skip
