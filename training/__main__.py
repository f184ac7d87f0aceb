"""``python -m training``: the engine's command line, without Django or a database."""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from training.engine.loop.stop import PEER_FAILED, STOPPED, TEMPORARY

if TYPE_CHECKING:
    from training.engine.evaluation.predictions import Outputs
    from training.engine.generation.sample import SamplingRequest


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit status."""
    signal.signal(signal.SIGTERM, _exit_on_sigterm)
    # Read when torch is imported. Threads that spin while they wait make a run ten times slower
    # on a machine where others are at work too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = _parser().parse_args(arguments)
    from training.engine.files import (
        BusyError,
        PeerError,
        TrainingError,
        in_words,
        is_full_disk,
        is_memory,
    )

    try:
        return _run(options)
    except PeerError as error:
        print(f"error: {error}", file=sys.stderr)
        return PEER_FAILED
    except (TrainingError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not is_memory(error):
            raise
        print(f"error: {in_words(error)}", file=sys.stderr)
        return TEMPORARY if is_full_disk(error) or isinstance(error, BusyError) else 1
    except KeyboardInterrupt:
        return 130


def _exit_on_sigterm(number: int, frame: FrameType | None) -> None:
    raise SystemExit(STOPPED)


def _run(options: argparse.Namespace) -> int:
    """Import only what the subcommand needs: torch takes seconds. Return the exit status."""
    match options.command:
        case "fit":
            if options.processes > 1:
                from training.engine.loop.launch import launch

                return launch(options.run, options.processes)
            from training.engine.run import fit

            fit(options.run)
        case "sample":
            from training.engine.generation.sample import write_samples

            request, count = _request(options), options.count or 1
            number = write_samples(options.model, request, options.out, count=count)
            print(f"{number} pictures in {options.out}")
        case "translate":
            from training.engine.generation.translate import TranslationRequest, translate

            translation = TranslationRequest(
                images=options.images,
                prompt=options.text,
                seed=options.seed,
                guidance=options.guidance,
                steps=options.steps,
            )
            number = translate(options.model, translation, options.out)
            print(f"{number} pictures in {options.out}")
        case "serve":
            from training.engine.generation.server import main as serve

            serve()
        case "score":
            from training.engine.evaluation.score import score

            for name, value in score(options.model, options.pictures, options.prompts):
                print(f"{value:8.3f}  {name}")
        case "evaluate":
            from training.engine.evaluation.evaluate import write_evaluation

            with _cache(options) as cache:
                print(write_evaluation(options.model, options.snapshot, cache, _judge(options)))
        case "compare":
            from training.engine.data.snapshot import read_snapshot
            from training.engine.evaluation.compare import compare
            from training.engine.files import write_json

            current = None if str(options.current) == "-" else options.current
            snapshot = read_snapshot(options.snapshot)
            with _cache(options) as cache:
                verdict = compare(
                    options.new,
                    current,
                    snapshot,
                    cache=cache,
                    answers=options.answers,
                    standing=options.standing,
                    judge=_judge(options),
                )
            write_json(options.out, verdict)
            print(verdict["why"])
        case "report":
            from training.engine.report.report import write_report

            print(write_report(options.run))
        case "push":
            from training.engine.publishing.hub import push

            whole = {"public": options.public, "with_neighbours": options.with_neighbours}
            pushed = push(options.model, options.repository, **whole)
            for name in pushed.left_out:
                print(f"left out: {name}")
            print(f"{len(pushed.files)} files in {pushed.url}")
        case "onnx":
            from training.engine.generation.sample import read_prompts
            from training.engine.publishing.onnx import write_onnx

            prompts = read_prompts(options.prompts) if options.prompts else []
            call = write_onnx(
                options.model, options.out, guidance=options.guidance, prompts=prompts
            )
            print(f"{options.out}: from {', '.join(call.inputs)} to pictures")
        case "predict":
            from training.engine.evaluation.predictions import predict

            asked, out, also = options.questions, options.out, _outputs(options)
            with _cache(options) as cache:
                number = predict(options.model, asked, out, cache=cache, outputs=also)
            print(f"{number} predictions in {options.out}")
        case "see":
            with _cache(options) as cache:
                number = _see(options, cache)
            print(f"{number} tiles in {options.out}")
        case "predict-concepts":
            from training.engine.evaluation.log_odds import predict_concepts

            files = options.subjects, options.features, options.texts, options.log_odds
            number = predict_concepts(options.model, *files)
            print(f"{number} concepts in {options.log_odds}")
        case "zero-shot":
            from training.engine.encoders.specs import default_spec, load_text_encoder
            from training.engine.evaluation import zero_shot

            subjects = zero_shot.read_subjects(options.subjects)
            encoder = load_text_encoder(default_spec())
            number = zero_shot.predict(
                subjects,
                encoder,
                options.cache,
                features=options.features,
                log_odds=options.log_odds,
                seen_elsewhere=options.seen,
            )
            print(f"{number} predictions in {options.log_odds}")
    return 0


def _outputs(options: argparse.Namespace) -> "Outputs | None":
    """Return where features and log-odds of subjects go; raise ``TrainingError`` for a part."""
    from training.engine.evaluation.predictions import Outputs
    from training.engine.files import TrainingError

    files = options.subjects, options.features, options.log_odds
    if any(files) and not all(files):
        raise TrainingError("Name a file of subjects, and one each for features and log-odds.")
    if not all(files):
        return None
    return Outputs(options.subjects, options.features, options.log_odds, options.seen)


def _see(options: argparse.Namespace, cache: Path) -> int:
    """Write what a clip model sees of tiles, or the frozen encoder; return how many there are."""
    from training.engine.evaluation import predictions, zero_shot

    if options.model:
        return predictions.see(options.model, options.subjects, options.out, cache)
    return zero_shot.look(zero_shot.read_subjects(options.subjects), cache, options.out)


def _request(options: argparse.Namespace) -> "SamplingRequest":
    """Return the request of ``sample``; raise ``TrainingError`` where options contradict."""
    from training.engine.files import TrainingError
    from training.engine.generation.sample import SamplingRequest, read_prompts

    prompts = read_prompts(options.prompts)
    if options.interpolate:
        return _interpolation(options, prompts)
    if options.second_seed is not None:
        raise TrainingError("A second seed is for a strip: add --interpolate.")
    count = options.count or 1
    repeated = tuple(prompt for prompt in prompts for _ in range(count))
    return SamplingRequest(
        prompts=repeated,
        seeds=tuple(options.seed + i % count for i in range(len(repeated))),
        guidance=options.guidance,
        steps=options.steps,
        options=options.option,
        image=options.inpaint,
    )


def _interpolation(options: argparse.Namespace, prompts: list[str]) -> "SamplingRequest":
    """Return a request for frames from the first prompt and seed to the second."""
    from training.engine.files import TrainingError
    from training.engine.generation.sample import FRAMES, SamplingRequest, interpolation_ends

    if options.inpaint:
        raise TrainingError("Either draw a strip, or complete a picture.")
    if options.count == 1:
        raise TrainingError("A strip has at least two pictures: give --count 2 or more.")
    second_seed = options.seed if options.second_seed is None else options.second_seed
    ends, seeds = interpolation_ends(prompts, (options.seed, second_seed))
    return SamplingRequest(
        prompts=ends,
        seeds=seeds,
        guidance=options.guidance,
        steps=options.steps,
        options=options.option,
        frames=options.count or FRAMES,
    )


def _cache(options: argparse.Namespace) -> AbstractContextManager[Path]:
    """Open the folder of cached embeddings, or a temporary one where none is named."""
    if options.cache:
        return nullcontext(options.cache)
    return _temporary()


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def _judge(options: argparse.Namespace) -> dict[str, str | None] | None:
    """Return the spec of the open_clip model that judges what it did not condition, or None."""
    if not options.clip_model:
        return None
    return {"model": options.clip_model, "pretrained": options.clip_pretrained}


def _add_judge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, help="folder of cached embeddings")
    parser.add_argument("--clip-model", help="an open_clip model that judges")
    parser.add_argument("--clip-pretrained", help="its weights: a tag or a file")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="fit the run that a folder describes, or resume it")
    fit.add_argument("run", type=Path)
    fit.add_argument(
        "--processes", type=_integer(1), default=1, help="of this machine, a GPU each (1)"
    )
    sample = commands.add_parser("sample", help="generate images with any model that can")
    sample.add_argument("model", type=Path)
    sample.add_argument("--prompts", type=Path, required=True, help="a prompt a line")
    sample.add_argument("--out", type=Path, required=True)
    sample.add_argument("--count", type=_integer(1), help="pictures a prompt (1) or of a strip (8)")
    sample.add_argument("--seed", type=_integer(0), default=0)
    sample.add_argument("--guidance", type=_guidance, help="default: the model's own")
    sample.add_argument("--steps", type=_integer(1), help="default: the model's own")
    sample.add_argument(
        "--option", action=_Options, default={}, help="name=value of the model's sampling, again"
    )
    sample.add_argument(
        "--interpolate", action="store_true", help="a strip from the first prompt to the second"
    )
    sample.add_argument(
        "--second-seed", type=_integer(0), help="a strip's last; default: the first"
    )
    sample.add_argument(
        "--inpaint", type=Path, metavar="PICTURE", help="generate its lower half (autoregressive)"
    )
    _add_translate(commands.add_parser("translate", help="draw the other half of pictures (pairs)"))
    commands.add_parser("serve", help="execute generation requests that come in as lines of JSON")
    score = commands.add_parser("score", help="how real pictures look to a gan's discriminator")
    score.add_argument("model", type=Path)
    score.add_argument("pictures", type=Path, help="a folder")
    score.add_argument("--prompts", type=Path, help="a line for all pictures, or one for each")
    evaluate = commands.add_parser("evaluate", help="measure a model; a clip model also predicts")
    evaluate.add_argument("model", type=Path)
    evaluate.add_argument("snapshot", type=Path)
    _add_judge_options(evaluate)
    compare = commands.add_parser("compare", help="whether a model may replace the current one")
    compare.add_argument("new", type=Path)
    compare.add_argument("current", type=Path, help="- where there is none")
    compare.add_argument("snapshot", type=Path)
    compare.add_argument("--out", type=Path, required=True, help="the verdict, as JSON")
    compare.add_argument(
        "--answers", type=Path, help="people's answers about both models' pictures"
    )
    compare.add_argument(
        "--standing",
        type=Path,
        help="what the frozen encoder predicts while there is no clip model",
    )
    _add_judge_options(compare)
    report = commands.add_parser("report", help="a run as one HTML page")
    report.add_argument("run", type=Path)
    push = commands.add_parser("push", help="push a model folder to a hub, privately")
    push.add_argument("model", type=Path)
    push.add_argument("repository", help="its name there: owner/name")
    push.add_argument("--public", action="store_true", help="for all to see")
    push.add_argument(
        "--with-neighbours",
        action="store_true",
        help="and small copies of the training pictures, to name those nearest to a drawing",
    )
    onnx = commands.add_parser("onnx", help="write a model that draws in one call as ONNX")
    onnx.add_argument("model", type=Path)
    onnx.add_argument("out", type=Path, help="OUT.onnx")
    onnx.add_argument("--guidance", type=_guidance, help="default: the model's own")
    onnx.add_argument("--prompts", type=Path, help="embedded in OUT.npz, a prompt a line")
    predict = commands.add_parser("predict", help="a clip model's probability for each question")
    predict.add_argument("model", type=Path)
    predict.add_argument("questions", type=Path)
    predict.add_argument("out", type=Path)
    predict.add_argument("--cache", type=Path, help="folder of what was seen before")
    predict.add_argument("--subjects", type=Path, help="tiles and concepts to embed")
    predict.add_argument("--features", type=Path, help="where their embeddings go")
    predict.add_argument("--log-odds", type=Path, help="where the log-odds of all pairs go (.npy)")
    predict.add_argument("--seen", type=Path, help="a folder of what `see` wrote of subjects")
    see = commands.add_parser("see", help="look at tiles for whoever predicts them")
    see.add_argument("subjects", type=Path, help="tiles, as of predict or of zero-shot")
    see.add_argument("out", type=Path, help="where goes what was seen (.safetensors)")
    see.add_argument("--model", type=Path, help="a clip model; else the frozen image encoder")
    see.add_argument("--cache", type=Path, help="folder of what was seen before")
    concepts = commands.add_parser(
        "predict-concepts", help="further concepts, from the features that predict wrote"
    )
    concepts.add_argument("model", type=Path)
    concepts.add_argument("subjects", type=Path, help="concepts")
    concepts.add_argument("--features", type=Path, required=True)
    concepts.add_argument("--texts", type=Path, required=True, help="where their embeddings go")
    concepts.add_argument("--log-odds", type=Path, required=True, help="where log-odds go (.npy)")
    zero_shot = commands.add_parser(
        "zero-shot", help="predict concepts by the frozen encoders, before any model is trained"
    )
    zero_shot.add_argument("subjects", type=Path, help="tiles with texts, and concepts")
    zero_shot.add_argument("--cache", type=Path, required=True, help="folder of what was seen")
    zero_shot.add_argument("--seen", type=Path, help="a folder of what `see` wrote of the tiles")
    zero_shot.add_argument("--features", type=Path, required=True, help="where embeddings go")
    zero_shot.add_argument("--log-odds", type=Path, required=True, help="where log-odds go (.npy)")
    return parser


def _add_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--out", type=Path, required=True, help="gets a PNG of each one's name")
    parser.add_argument("--text", default="", help="of pictures that have no .txt of their name")
    parser.add_argument("--seed", type=_integer(0), default=0)
    parser.add_argument("--guidance", type=_guidance, help="default: the model's own")
    parser.add_argument("--steps", type=_integer(1), help="default: the model's own")


def _integer(minimum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``minimum`` to 2³¹ − 1."""

    def parse(text: str) -> int:
        number = int(text)
        if not minimum <= number < 2**31:
            raise argparse.ArgumentTypeError(f"must be from {minimum} to {2**31 - 1}")
        return number

    return parse


class _Options(argparse.Action):
    """Collect repeated ``--option name=value``; a value is JSON, else a text."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        name, equals, value = str(values).partition("=")
        if not name or not equals:
            parser.error(f"{values!r} is no option: write name=value.")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), name.strip(): parsed})


def _guidance(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError("must be from 0 to 100")
    return number


if __name__ == "__main__":
    sys.exit(main())
