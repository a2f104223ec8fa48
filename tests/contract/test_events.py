from uuid import UUID

from bedrock_rft_sim.contract.events import message_event, metrics_event
from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS

PUBLISHED = {
    "step": 4,
    "total_steps": 67,
    "critic_rewards_mean": 0.4375,
    "actor_pg_loss": 0.1015324,
    "actor_entropy": 0.6235736,
    "actor_grad_norm": 0.00086673,
    "critic_advantages_mean": 0.0136226,
    "response_length_mean": 519.09375,
}


def test_a_metrics_event_has_exactly_the_published_shape():
    event = metrics_event({**PUBLISHED, "local_tokens": 7}, created_at=1771442218)
    assert event.pop("id").startswith("ftevent-")
    assert event == {
        "object": "fine_tuning.job.event",
        "created_at": 1771442218,
        "level": "info",
        "message": "Step 4/67: training metrics",
        "type": "metrics",
        "data": PUBLISHED,
    }


def test_an_event_s_id_carries_a_random_uuid():
    one, other = message_event("started"), message_event("started")
    assert UUID(one["id"].removeprefix("ftevent-")).version == 4
    assert one["id"] != other["id"]


def test_a_metric_that_is_missing_is_null_in_the_event_and_not_zero():
    event = metrics_event({"step": 1, "total_steps": 2})
    assert event["data"]["actor_entropy"] is None
    assert set(event["data"]) == set(MANTLE_EVENT_KEYS)


def test_a_message_event_carries_its_level_and_no_data():
    event = message_event("the handler raised", level="error")
    assert (event["type"], event["level"], event["data"]) == ("message", "error", None)
