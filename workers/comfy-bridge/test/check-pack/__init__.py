"""Lets a ComfyUI check a prompt without running it. Copy this folder into its `custom_nodes`.

`POST /spindle/check` answers as `POST /prompt` does, by the same `validate_prompt`; nothing is queued. The product never uses it: with
it `tests/support/record-workflow-checks.ts` records what ComfyUI says of the workflows of `templates/comfy`.
"""

import uuid

import execution
from aiohttp import web
from server import PromptServer

NODE_CLASS_MAPPINGS: dict = {}


@PromptServer.instance.routes.post("/spindle/check")
async def check(request):
    prompt = (await request.json())["prompt"]
    valid, error, outputs, node_errors = await execution.validate_prompt(str(uuid.uuid4()), prompt, None)
    errors = [] if error is None else [error["message"]]
    for node, found in node_errors.items():
        errors += [f"{node} {found['class_type']}: {fault['message']}: {fault['details']}" for fault in found["errors"]]
    return web.json_response({"valid": valid, "outputs": sorted(outputs), "errors": errors})
