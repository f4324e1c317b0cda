"""Options outside their ranges."""

from pathlib import Path

from tests.errors.row import CHECKPOINT, FIT, Row

PAIRS, SCENES = f"pix2pix {FIT}", f"multitask {FIT}"


def option(wrong: str, words: str, code: int = 1, command: str = PAIRS) -> Row:
    """A row of an option, which the line names without what stands before it."""
    name = words.split(" ")[0].rpartition(".")[2].lstrip("-")
    return Row(wrong, f"{command} {words}", name, code=code)


def cache_is_a_file() -> None:
    Path("data/cache").touch()


TRAINING = [
    option("a negative learning rate", "--model.lr_generator -1"),
    option("a learning rate that is NaN", "--model.lr_discriminator .nan", 2),
    option("a text for a learning rate", "--model.lr_generator fast", 2),
    option("a negative weight of L1", "--model.lambda_l1 -1"),
    option("negative epochs of the schedule", "--model.constant_epochs -1"),
    option("no updates of D", "--model.d_steps 0"),
    option("no parts of a batch", "--model.accumulate 0"),
    option("a negative norm of gradients", "--model.clip_norm -1"),
    option("an unknown adversarial loss", "--model.gan_mode wgangp", 2),
    option("smoothed labels of 1", "--model.label_smoothing 1"),
    Row("a weight of no term", f"{PAIRS} --model.weights.l2 1", "weights"),
    Row("a negative weight of a term", f"{PAIRS} --model.weights.gan -1", "weights"),
    Row("a ramp over 0 epochs", f"{PAIRS} --model.ramps.gan 0", "ramps"),
    option("an unknown mode of inference", "--model.inference fast", 2),
    option("no channels", "--model.generator.init_args.base_channels 0"),
    option("no levels", "--model.generator.init_args.levels 0"),
    Row("levels for larger pictures", f"{PAIRS} --data.crop_size 12", "multiples of 8"),
    option("a dropout of 2", "--model.generator.init_args.dropout 2"),
    option("an unknown norm", "--model.generator.init_args.norm group", 2),
    option("too many layers of D", "--model.discriminator.init_args.layers 7"),
    option("channels of D that do not fit", "--model.discriminator.init_args.in_channels 5"),
    option("a batch of 0", "--data.batch_size 0"),
    option("a batch larger than the data", "--data.batch_size 99"),
    option("a fraction of a batch", "--data.batch_size 1.5", 2),
    option("999 workers", "--data.num_workers 999"),
    option("-1 workers", "--data.num_workers -1"),
    option("a crop larger than the picture", "--data.crop_size 32"),
    option("a size of 0", "--data.load_size 0"),
    option("a jitter of 2", "--data.color_jitter 2"),
    option("an unknown direction", "--data.direction BtoC", 2),
    option("no channels of inputs", "--data.input_channels 0"),
    option("a window that ends before it begins", "--data.input_window [3,1]"),
    option("a window of one number", "--data.input_window [1]", 2),
    option("one class of labels", "--data.input_labels 1"),
    option("an unknown cache", "--data.cache tape", 2),
    Row("a file in place of the folder of the cache", f"{PAIRS} --data.cache disk", "data/cache", cache_is_a_file),
    option("an unknown meaning of NaN", "--data.nan maybe", 2),
    option("no epochs", "--trainer.max_epochs 0"),
    option("-5 epochs", "--trainer.max_epochs -5"),
    option("nothing to train on", "--trainer.limit_train_batches 0"),
    option("a validation every 0 epochs", "--trainer.check_val_every_n_epoch 0"),
    option("99 processes", "--trainer.devices 99"),
    option("an unknown precision", "--trainer.precision 7", 2),
    option("clipping by the trainer", "--trainer.gradient_clip_val 0.5"),
    option("accumulation by the trainer", "--trainer.accumulate_grad_batches 2"),
    option("a seed below 0", "--seed_everything -1"),
    option("no samples", "--samples.count 0"),
    option("a look at health every 0 batches", "--health.every 0"),
    option("a patience of 0", "--patience 0"),
    option("a negative time between saves", "--save_every -1"),
    option("an unknown logger", "--wandb perhaps", 2),
    Row("an unknown metric of sets", f"{PAIRS} --metrics.names [fad]", "metrics.names", code=2),
    Row("a score that is no function", f"{PAIRS} --metrics.score math:pi", "metrics.score"),
    Row("an option that is not there", f"{PAIRS} --model.lambda_l2 3", "lambda_l2", code=2),
    Row("an option without a value", f"{PAIRS} --model.lambda_l1", "lambda_l1", code=2),
    Row("a word too many", f"{PAIRS} extra", "extra", code=2),
    Row("a file in place of the folder of runs", f"{PAIRS} --runs small.yaml", "small.yaml"),
]

SEVERAL = [
    option("one class", "--model.tasks.seg.init_args.classes 1", command=SCENES),
    option("a target that leads out of its folder", "--model.tasks.seg.init_args.target ../x", command=SCENES),
    Row("a target that no scene has", f"{SCENES} --model.tasks.seg.init_args.target floor", "task seg"),
    option("weights of other classes", "--model.tasks.seg.init_args.class_weights [1]", command=SCENES),
    Row("a loss of another kind", f"{SCENES} --model.tasks.depth.init_args.loss losses.FocalLoss", "loss"),
    Row("no tasks", f"{SCENES} --model.tasks.seg null --model.tasks.depth null --model.tasks.boxes null", "tasks"),
    option("a negative alpha of GradNorm", "--model.weighting.init_args.alpha -1", command=SCENES),
    Row(
        "weights of other tasks",
        f"{SCENES} --model.weighting losses.FixedWeighting --model.weighting.init_args.weights.other 1",
        "weights",
    ),
    Row(
        "a temperature of 0",
        f"{SCENES} --model.weighting losses.DynamicWeightAverage --model.weighting.init_args.temperature 0",
        "temperature",
    ),
    Row(
        "a negative learning rate of FAMO",
        f"{SCENES} --model.weighting losses.FAMO --model.weighting.init_args.lr -1",
        "lr",
    ),
    option("no width", "--model.encoder.init_args.width 0", command=SCENES),
    option("no channels", "--model.channels 0", command=SCENES),
    option("a stride that the encoder has not", "--model.stride 3", command=SCENES),
    option("an unknown attention", "--model.attention all", 2, command=SCENES),
    option("an unknown upsampling", "--model.upsampling nearest", 2, command=SCENES),
    option("a negative learning rate", "--model.lr -1", command=SCENES),
    option("a learning rate that is infinite", "--model.lr .inf", 2, command=SCENES),
    option("a negative decay of weights", "--model.weight_decay -1", command=SCENES),
    option("no unit of depth", "--data.layout.init_args.depth_unit 0", command=SCENES),
    option("a scale that shrinks", "--data.augmentation.init_args.scales [0.5]", command=SCENES),
    option("a probability of 2", "--data.augmentation.init_args.flip 2", command=SCENES),
    option("a size of 0", "--data.resize [0,4]", command=SCENES),
    option("a batch of 0", "--data.batch_size 0", command=SCENES),
]

ABLATE, COMPARE = "pix2pix ablate --config small.yaml", "multitask compare --config small.yaml"
TRANSLATE, SERVE = f"pix2pix translate {CHECKPOINT} data/test out", f"pix2pix serve {CHECKPOINT}"

COMMANDS = [
    Row("no such command", "pix2pix fti", "fti", code=2),
    Row("a device that is not there", f"{TRANSLATE} --device cuda:99", "cuda:99"),
    option("a batch of 0", "--batch_size 0", command=TRANSLATE),
    option("a tile of 0", "--tile 0", command=TRANSLATE),
    option("an unknown precision", "--precision 8", 2, command=TRANSLATE),
    option("an unknown backend", "--backend caffe", 2, command=TRANSLATE),
    option("no samples", "--samples 0", command=TRANSLATE),
    Row("no place to write to", f"pix2pix translate {CHECKPOINT}", "inputs, out", code=2),
    Row("a port that is not there", f"{SERVE} --port 99999", "port"),
    Row("a host that is not there", f"{SERVE} --host 203.0.113.7", "203.0.113.7"),
    Row("uploads of 0 bytes", f"{SERVE} --limits.bytes 0", "limits.bytes"),
    Row("uploads that take for ever", f"{SERVE} --limits.seconds .inf", "limits.seconds", code=2),
    Row("an ending that is no format", f"pix2pix export {CHECKPOINT} out.txt", "out.txt", code=2),
    Row("an unknown format", f"pix2pix export {CHECKPOINT} out --format coreml", "format", code=2),
    Row("no license for the hub", f"pix2pix export {CHECKPOINT} out --format hub", "--license", code=2),
    Row("a file that exists", f"pix2pix export {CHECKPOINT} small.yaml --format onnx", "small.yaml"),
    Row(
        "pictures to check with that are not there", f"pix2pix export {CHECKPOINT} out.pt2 --pictures absent", "absent"
    ),
    Row("a folder that is not there, for the gallery", "pix2pix gallery absent", "absent"),
    Row("an unknown split", "pix2pix gallery data --split train", "split", code=2),
    Row("data to examine that are not there", "pix2pix doctor absent", "absent"),
    Row("another root that is not there", "pix2pix doctor small.yaml --root absent", "absent/train"),
    Row("scenes without a configuration", "multitask doctor data", "data"),
    Row("no checkpoint for the modes", "pix2pix modes --config small.yaml", "checkpoint"),
    Row("no variants", ABLATE, "variants"),
    Row("a variant whose name is no folder", f"{ABLATE} --variants '{{../a: {{}}}}'", "../a"),
    Row("a variant of an unknown option", f"{ABLATE} --variants '{{a: {{model: {{l2: 1}}}}}}'", "variants: a", code=2),
    Row("a variant outside a range", f"{ABLATE} --variants '{{a: {{model: {{lambda_l1: -1}}}}}}'", "variants: a"),
    Row("no seeds", f"{ABLATE} --variants '{{a: {{}}}}' --seeds 0", "seeds"),
    Row("classes by no function", f"{ABLATE} --variants '{{a: {{}}}}' --classes absent.f", "absent.f"),
    option("no seeds to compare with", "--seeds 0", command=COMPARE),
    option("no jobs", "--jobs 0", command=COMPARE),
    option("unknown weightings", "--weightings best", command=COMPARE),
    option("a negative learning rate to compare", "--lrs [-1]", command=COMPARE),
    option("an unknown budget", "--budget days", 2, command=COMPARE),
    option("another metric to choose by", "--monitor val/seg", command=COMPARE),
    option("no steps of the toy", "--steps 0", command="multitask toy"),
]
