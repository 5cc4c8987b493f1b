"""Which function answers which path."""

import re
from collections.abc import Callable
from dataclasses import replace

from otel_costs.stand_in import agents, audio, chat, completions, images, jobs, responses, small, threads, tuning
from otel_costs.stand_in.exchange import Answer, RefusedError, Request, Store

Handler = Callable[[Request, Store], Answer]

_ROUTES: tuple[tuple[str, Handler], ...] = (
    ("POST /chat/completions", chat.create),
    ("POST /completions", completions.create),
    ("POST /responses", responses.create),
    ("POST /responses/compact", responses.compact),
    ("POST /responses/input_tokens", responses.count_tokens),
    ("GET /responses/{id}", responses.retrieve),
    ("DELETE /responses/{id}", responses.delete),
    ("POST /responses/{id}/cancel", responses.cancel),
    ("GET /responses/{id}/input_items", responses.input_items),
    ("POST /decisions", small.decide),
    ("POST /embeddings", small.embed),
    ("POST /moderations", small.moderate),
    ("GET /models", small.list_models),
    ("GET /models/{id}", small.get_model),
    ("POST /files", small.upload_file),
    ("GET /files", small.list_files),
    ("GET /files/{id}", small.get_file),
    ("GET /files/{id}/content", small.get_content),
    ("POST /containers", small.create_container),
    ("GET /containers/{id}", small.get_container),
    ("POST /realtime/calls", small.create_call),
    ("POST /realtime/calls/{id}/accept", small.accept_call),
    ("POST /realtime/client_secrets", small.client_secret),
    ("POST /live/sessions", small.create_live),
    ("POST /live/sessions/{id}/fork", small.create_live),
    ("POST /live/sessions/{id}/accept", small.accept_call),
    ("POST /audio/speech", audio.speech),
    ("POST /speak", audio.speak),
    ("POST /audio/transcriptions", audio.transcribe),
    ("POST /audio/translations", audio.translate),
    ("POST /images/generations", images.generate),
    ("POST /images/edits", images.edit),
    ("POST /images/variations", images.vary),
    ("POST /videos", jobs.create_video),
    ("GET /videos", jobs.list_videos),
    ("GET /videos/{id}", jobs.get_video),
    ("GET /videos/{id}/content", jobs.video_content),
    ("POST /videos/{id}/remix", jobs.create_video),
    ("POST /batches", jobs.create_batch),
    ("GET /batches", jobs.list_batches),
    ("GET /batches/{id}", jobs.get_batch),
    ("POST /batches/{id}/cancel", jobs.cancel_batch),
    ("POST /fine_tuning/jobs", tuning.create_tuning),
    ("GET /fine_tuning/jobs", tuning.list_tunings),
    ("GET /fine_tuning/jobs/{id}", tuning.get_tuning),
    ("POST /fine_tuning/jobs/{id}/cancel", tuning.cancel_tuning),
    ("POST /fine_tuning/alpha/graders/run", tuning.run_grader),
    ("POST /evals", tuning.create_eval),
    ("POST /evals/{eval}/runs", tuning.create_eval_run),
    ("GET /evals/{eval}/runs", tuning.list_eval_runs),
    ("GET /evals/{eval}/runs/{id}", tuning.get_eval_run),
    ("POST /evals/{eval}/runs/{id}", tuning.cancel_eval_run),
    ("POST /assistants", threads.create_assistant),
    ("POST /threads", threads.create_thread),
    ("POST /threads/runs", threads.create_thread_and_run),
    ("POST /threads/{thread}/messages", threads.add_message),
    ("GET /threads/{thread}/messages", threads.list_messages),
    ("POST /threads/{thread}/runs", threads.create_run),
    ("GET /threads/{thread}/runs", threads.list_runs),
    ("GET /threads/{thread}/runs/{id}", threads.get_run),
    ("POST /threads/{thread}/runs/{id}/cancel", threads.cancel_run),
    ("POST /threads/{thread}/runs/{id}/submit_tool_outputs", threads.submit),
    ("POST /agents/sessions", agents.create),
    ("GET /agents/sessions", agents.list_sessions),
    ("GET /agents/sessions/{id}", agents.retrieve),
    ("POST /agents/sessions/{id}/events", agents.submit),
    ("GET /agents/sessions/{id}/events", agents.stream),
    ("GET /agents/sessions/{id}/turns", agents.list_turns),
    ("GET /agents/sessions/{id}/turns/{turn}", agents.get_turn),
    ("POST /future/{id}", small.from_the_future),
)

_COMPILED = [
    (re.compile("^" + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route) + "/?$"), handler) for route, handler in _ROUTES
]


def answer(request: Request, store: Store) -> Answer:
    """Answer `request`, whose path has lost its prefix; raise RefusedError for what OpenAI would refuse."""
    for route, handler in _COMPILED:
        if match := route.match(f"{request.method} {request.path}"):
            return handler(replace(request, params=match.groupdict()), store)
    raise RefusedError(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")
