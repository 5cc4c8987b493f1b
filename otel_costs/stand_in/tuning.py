"""Fine-tuning, evaluations and graders."""

import json

from otel_costs.stand_in import models, tokens
from otel_costs.stand_in.exchange import Answer, Json, Request, Store, new_id, now
from otel_costs.stand_in.jobs import begin, poll, stop
from otel_costs.stand_in.small import page


def create_tuning(request: Request, store: Store) -> Answer:
    """Answer ``POST /fine_tuning/jobs``."""
    asked = request.json
    model = models.dated(asked["model"])
    body: Json = {
        "id": new_id("ftjob-", 24),
        "object": "fine_tuning.job",
        "model": model,
        "created_at": now(),
        "finished_at": None,
        "fine_tuned_model": None,
        "organization_id": "org-123",
        "result_files": [],
        "status": "validating_files",
        "validation_file": asked.get("validation_file"),
        "training_file": asked["training_file"],
        "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.0},
        "trained_tokens": None,
        "error": None,
        "seed": asked.get("seed") or 0,
        "estimated_finish": None,
        "integrations": [],
        "metadata": None,
    }
    end = request.outcome or "succeeded"
    tuned = {"fine_tuned_model": f"ft:{model}:stand-in::7p4lURel", "trained_tokens": 5768, "finished_at": now()}
    known = tuned if end == "succeeded" else {"error": {"code": "bad", "message": "It failed.", "param": None}}
    return Answer(dict(begin(store, "job", body, [("queued", {}), ("running", {}), (end, known)])))


def get_tuning(request: Request, store: Store) -> Answer:
    """Answer ``GET /fine_tuning/jobs/{id}``."""
    return Answer(poll(store, "job", request.params["id"]))


def list_tunings(_: Request, store: Store) -> Answer:
    """Answer ``GET /fine_tuning/jobs``."""
    return Answer({"object": "list", "data": store.all("job"), "has_more": False})


def cancel_tuning(request: Request, store: Store) -> Answer:
    """Answer ``POST /fine_tuning/jobs/{id}/cancel``."""
    return Answer(stop(store, "job", request.params["id"], "cancelled"))


def create_eval(request: Request, store: Store) -> Answer:
    """Answer ``POST /evals``."""
    asked = request.json
    source = {"type": "custom", "schema": asked["data_source_config"].get("item_schema", {})}
    body = {"id": new_id("eval_"), "object": "eval", "name": asked.get("name") or "eval", "created_at": now()}
    criteria = asked.get("testing_criteria") or []
    return Answer(
        store.put("eval", {**body, "data_source_config": source, "testing_criteria": criteria, "metadata": {}})
    )


def create_eval_run(request: Request, store: Store) -> Answer:
    """Answer ``POST /evals/{eval}/runs``."""
    asked = request.json
    model = models.dated(asked["data_source"].get("model") or "gpt-4o-mini")
    body: Json = {
        "id": new_id("evalrun_"),
        "object": "eval.run",
        "eval_id": request.params["eval"],
        "report_url": "https://example.com/report",
        "status": "queued",
        "model": model,
        "name": asked.get("name") or "run",
        "created_at": now(),
        "result_counts": {"total": 0, "errored": 0, "failed": 0, "passed": 0},
        "per_model_usage": [],
        "per_testing_criteria_results": [],
        "data_source": asked["data_source"],
        "error": {"code": "", "message": ""},
        "metadata": {},
    }
    spent = [_model_usage(model, 300, 60), _model_usage("o3-2025-04-16", 900, 200)]
    counts = {"result_counts": {"total": 3, "errored": 0, "failed": 1, "passed": 2}}
    partial = {"per_model_usage": spent[:1]}
    end = (request.outcome or "completed", {**counts, "per_model_usage": spent})
    return Answer(dict(begin(store, "run", body, [("in_progress", partial), end])))


def _model_usage(model: str, prompt: int, completion: int) -> Json:
    return {
        "model_name": model,
        "invocation_count": 3,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cached_tokens": 128 if prompt > 500 else 0,
    }


def get_eval_run(request: Request, store: Store) -> Answer:
    """Answer ``GET /evals/{eval}/runs/{id}``."""
    return Answer(poll(store, "run", request.params["id"]))


def list_eval_runs(request: Request, store: Store) -> Answer:
    """Answer ``GET /evals/{eval}/runs``."""
    return Answer(page([run for run in store.all("run") if run["eval_id"] == request.params["eval"]]))


def cancel_eval_run(request: Request, store: Store) -> Answer:
    """Answer ``POST /evals/{eval}/runs/{id}``."""
    return Answer(stop(store, "run", request.params["id"], "canceled"))


def run_grader(request: Request, _: Store) -> Answer:
    """Answer ``POST /fine_tuning/alpha/graders/run``."""
    grader = request.json["grader"]
    asked = tokens.count(json.dumps(grader)) + tokens.count(request.json.get("model_sample") or "")
    spent = {"prompt_tokens": asked, "completion_tokens": 12, "total_tokens": asked + 12}
    by_model = {grader["model"]: spent} if "model" in grader else {}
    errors: dict[str, object] = dict.fromkeys(_GRADER_ERRORS, False) | dict.fromkeys(_GRADER_DETAILS)
    metadata = {"name": grader.get("name", ""), "type": grader["type"], "errors": errors, "execution_time": 0.1}
    metadata |= {"scores": {}, "token_usage": spent["total_tokens"] if by_model else None, "sampled_model_name": None}
    return Answer(
        {"reward": 1.0, "metadata": metadata, "sub_rewards": {}, "model_grader_token_usage_per_model": by_model}
    )


_GRADER_ERRORS = (
    "formula_parse_error", "invalid_variable_error", "model_grader_parse_error", "model_grader_refusal_error",
    "model_grader_server_error", "other_error", "python_grader_runtime_error", "python_grader_server_error",
    "sample_parse_error", "truncated_observation_error", "unresponsive_reward_error",
)  # fmt: skip
_GRADER_DETAILS = (
    "model_grader_server_error_details", "python_grader_runtime_error_details", "python_grader_server_error_type",
)  # fmt: skip
