"""Puts a streamed message together from its events. A rule: pure, in the order they came."""

from typing import Any

from services.llm.wire import read_json


class Assembly:
    """A message in the making, as POST /v1/messages would have answered it whole."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {"model": "", "content": [], "usage": {}}
        self._inputs: dict[int, str] = {}
        self._begun = self.complete = False

    @property
    def model(self) -> str:
        """The model that answers, as soon as it is known."""
        return str(self._message["model"])

    def add(self, event: dict[str, Any]) -> str:
        """Take an event in; returns the text that it adds, empty for the others.

        Raises ValueError for an error event and for whatever is out of its order.
        """
        match event.get("type"):
            case "message_start":
                self._begin(event["message"])
            case "content_block_start":
                self._start(event["index"], event["content_block"])
            case "content_block_delta":
                return self._delta(event["index"], event["delta"])
            case "content_block_stop":
                self._stop(event["index"])
            case "message_delta":
                self._message |= event["delta"]
                self._message["usage"] |= event.get("usage") or {}
            case "message_stop":
                if self._inputs:
                    raise ValueError("a block that never ended")
                self.complete = True
            case "error":
                raise ValueError("the provider ended the stream with an error")
        return ""

    def message(self) -> dict[str, Any]:
        """The message as far as it has come."""
        return self._message

    def _begin(self, message: dict[str, Any]) -> None:
        if self._begun:
            raise ValueError("a second message in one stream")
        self._begun = True
        self._message |= message
        self._message["content"] = []

    def _start(self, index: int, block: dict[str, Any]) -> None:
        if index != len(self._message["content"]):
            raise ValueError("a block that is not the next one")
        self._message["content"].append(dict(block))

    def _delta(self, index: int, delta: dict[str, Any]) -> str:
        block = self._block(index)
        if delta["type"] == "text_delta":
            block["text"] += delta["text"]
            return str(delta["text"])
        if delta["type"] == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + delta["partial_json"]
        return ""

    def _stop(self, index: int) -> None:
        if index in self._inputs:
            text = self._inputs.pop(index) or "{}"
            try:
                self._block(index)["input"] = read_json(text)
            except ValueError:
                # Cut off at a limit; of an answer that came to its end it is no object.
                self._block(index)["input"] = None

    def _block(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self._message["content"]):
            raise ValueError("a part of a block that never began")
        block: dict[str, Any] = self._message["content"][index]
        return block
