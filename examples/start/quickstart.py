"""RAdamW on a Flax NNX network for handwritten digits, then six optimizers at four learning rates."""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import radam_optax as rx

OPTIMIZERS = {  # Functions of the learning rate, and colors.
    "SGD, momentum 0.9": (rx.momentum, "#A68003"),
    "Adam": (rx.adam, "#DB392D"),
    # This warmup takes 2 / (1 - b2) = 2000 steps.
    "Adam with warmup": (lambda rate: rx.adam(rx.untuned_linear_warmup(rate, b2=0.999)), "#B655D2"),
    "AMSGrad": (rx.amsgrad, "#296CD8"),
    "RAdam": (rx.radam, "#0E9254"),
    "RAdam + AMSGrad": (lambda rate: rx.radam(rate, amsgrad=True), "#099B8F"),
}
RATES = (0.003, 0.01, 0.03, 0.1)  # Those of Liu et al. (2020) on CIFAR-10.
MARKS = "<os>"  # In the picture.
BATCH = 32  # Images.
CHUNK = 50  # Steps between two points of a curve.


def windows(x, stride):
    """The 3 x 3 windows of images; times a matrix, a convolution that is fast for many networks at once."""
    height, width = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (2 - stride, 1), (2 - stride, 1), (0, 0)))
    shifted = [x[:, i : i + height : stride, j : j + width : stride] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifted, axis=-1)


class Network(nnx.Module):
    """Two 3 x 3 convolutions, the second with stride 2, and a linear layer: 3818 parameters."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = nnx.Linear(9, 8, rngs=rngs)
        self.conv2 = nnx.Linear(9 * 8, 16, rngs=rngs)
        self.linear = nnx.Linear(4 * 4 * 16, 10, rngs=rngs)

    def __call__(self, images):
        x = nnx.relu(self.conv1(windows(images, 1)))
        x = nnx.relu(self.conv2(windows(x, 2)))
        return self.linear(x.reshape(x.shape[0], -1))


def cross_entropy(model, images, labels):
    """Mean, in nats; ln 10 is chance."""
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def accuracy(model, images, labels):
    """The fraction of the images whose largest logit is at their label."""
    return (model(images).argmax(axis=-1) == labels).mean()


def choose_batches(seed, steps, images):
    """Indices of shape (steps, BATCH)."""
    return np.random.default_rng(seed).integers(len(images), size=(steps, BATCH))


def train_radamw(steps, images, labels, test):
    """The usual way: one network, one chain of optax, one jitted step; and how the rectifier opens."""
    print("RAdamW on one network. Its second moment is as good as the mean of the squares of rho gradients;")
    print("r, below 1 while these are few, is the factor by which it shortens the step.", flush=True)
    model = Network(nnx.Rngs(0))
    chain = optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.01, weight_decay=0.01))
    optimizer = nnx.Optimizer(model, chain, wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer, images, labels):
        loss, gradients = nnx.value_and_grad(cross_entropy)(model, images, labels)
        optimizer.update(model, gradients)
        return loss

    measure = nnx.jit(accuracy)
    for step, batch in enumerate(choose_batches(0, steps, images), start=1):
        loss = train_step(model, optimizer, images[batch], labels[batch])
        if step % max(CHUNK, steps // 10) == 0:
            now = rx.rectification_stats(optimizer.opt_state)
            rectifier = f"rho {float(now['rho']):6.1f}  r {float(now['r']):.3f}"
            status = f"loss {loss:.4f}  acc {measure(model, *test):5.1%}  {rectifier}"
            print(f"RAdamW, clipped   {step:>5}/{steps}  {status}", flush=True)


def train_all(recipe, seeds, steps, images, labels, test):
    """Training losses, each the mean of CHUNK steps, and test accuracies, of shape (rates, seeds, points).

    All runs are one program, mapped over learning rates and seeds. A seed fixes weights and batches.
    """
    graph = nnx.graphdef(Network(nnx.Rngs(0)))

    def run(rate, params, batches):
        optimizer = recipe(rate)

        def step(carry, batch):
            def loss_of(params):
                return cross_entropy(nnx.merge(graph, params), images[batch], labels[batch])

            params, state = carry
            loss, gradients = jax.value_and_grad(loss_of)(params)
            updates, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, updates), state), loss

        def chunk(carry, batches):
            carry, losses = jax.lax.scan(step, carry, batches)
            return carry, (losses.mean(), accuracy(nnx.merge(graph, carry[0]), *test))

        return jax.lax.scan(chunk, (params, optimizer.init(params)), batches)[1]

    weights = [nnx.state(Network(nnx.Rngs(seed)), nnx.Param) for seed in range(seeds)]
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *weights)
    batches = np.stack([choose_batches(seed, steps, images) for seed in range(seeds)])
    program = jax.jit(jax.vmap(jax.vmap(run, (None, 0, 0)), (0, None, None)))
    return jax.device_get(program(jnp.array(RATES), params, batches.reshape(seeds, -1, CHUNK, BATCH)))


def findings(last):
    """What test accuracies at the end, of shape (rates, seeds) by optimizer, show: a title and sentences."""
    means = {name: 100 * rates.mean(axis=1) for name, rates in last.items()}
    lost = {name: f"{rates.max() - rates[-1]:.1f}" for name, rates in means.items()}
    first, final = (choose(means, key=lambda name: means[name].max()) for choose in (max, min))
    seeds = max(100 * np.ptp(rates[rates.mean(axis=1).argmax()]) for rates in last.values())
    title = (
        f"At learning rate {RATES[-1]:g} Adam ends {lost['Adam']} points below its best, "
        f"{lost['Adam with warmup']} with warmup, AMSGrad {lost['AMSGrad']}, RAdam {lost['RAdam']}"
    )
    apart = means[first].max() - means[final].max()
    best = (
        f"Each at its best learning rate, {first} is {apart:.1f} points above {final}, and seeds of "
        f"one optimizer are up to {seeds:.1f} apart: digits are too easy to choose by."
    )
    return title, [f"{title}.", best]


PURPOSE = """What this package is for is no higher number here: it has these optimizers exactly as published,
in parts that chain into others, with state in fewer bytes, on one device or many. Where the choice decides:
  python -m examples warmup          a deep Transformer at a rate at which Adam learns nothing, and RAdam does
  python -m examples counterexample  a problem on which Adam goes to the worst point, and AMSGrad does not
  python -m examples sparse_spike    one huge gradient, after which AMSGrad is slow for good"""


def draw(last, title):
    """Test accuracy at the end, a row for each optimizer, a mark for each learning rate: mean and range.

    Equal ways to the right are equal factors of the error, or what diverges would leave no room for the rest.
    """
    figure = Figure(figsize=(9.375, 5), layout="constrained")  # 900 pixels, in which text has 14 points.
    panel = figure.subplots()
    for row, (name, rates) in enumerate(last.items()):
        for index, (marker, runs) in enumerate(zip(MARKS, 100 - 100 * rates, strict=True)):
            style = {"color": OPTIMIZERS[name][1], "markersize": 8, "fmt": marker}
            y, mean = row + 0.19 * (index - 1.5), runs.mean()
            panel.errorbar(mean, y, xerr=[[mean - runs.min()], [runs.max() - mean]], **style)
    panel.set_xscale("log")
    accuracies = 10, 50, 80, 90, 95, 98, 99
    panel.set_xticks([100 - ticked for ticked in accuracies], [str(ticked) for ticked in accuracies])
    panel.xaxis.minorticks_off()
    panel.invert_xaxis()
    panel.set_yticks(range(len(last)), list(last), size=14)
    for label, name in zip(panel.get_yticklabels(), last, strict=True):
        label.set_color(OPTIMIZERS[name][1])
    for rate, marker in zip(RATES, MARKS, strict=True):
        panel.plot([], [], marker, color="grey", markersize=8, label=f"rate {rate:g}")
    panel.invert_yaxis()
    panel.tick_params(axis="x", labelsize=14)
    panel.set_xlabel("test accuracy at the end in %, mean and range of the seeds", size=14)
    panel.grid(axis="x", alpha=0.3)
    panel.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(title.replace(" its best, ", " its best,\n"), size=16, weight="bold", x=0.01, ha="left")
    figure.legend(loc="outside lower center", ncols=4, fontsize=14, frameon=False, handletextpad=0.2)
    return figure


def read_options(arguments):
    """Steps, seeds and the folder of the files; ``--quick`` changes what was not given."""

    def count(text):
        if not (text.isascii() and text.isdigit() and int(text) >= 1):
            raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
        return int(text)

    parser = argparse.ArgumentParser("quickstart", description=__doc__)
    text = f"per run, rounded up to a multiple of {CHUNK} (default: 2000; --quick: 100)"
    parser.add_argument("--steps", type=count, metavar="N", help=text)
    parser.add_argument("--seeds", type=count, metavar="N", help="runs per setting (default: 3; --quick: 2)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/quickstart"), metavar="DIR", help="of the files"
    )
    parser.add_argument("--quick", action="store_true", help="smaller, for less than a minute")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --out: cannot make the folder '{options.out}': {error.strerror}")
    steps, seeds = (100, 2) if options.quick else (2000, 3)
    return -(-(options.steps or steps) // CHUNK) * CHUNK, options.seeds or seeds, options.out


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs both parts; writes ``curves.csv``, ``accuracy.png`` and ``summary.json`` at the end."""
    steps, seeds, out = read_options(arguments)
    device = f"JAX {jax.__version__} on {jax.devices()[0].device_kind}"
    print(device, flush=True)
    pixels, digits = load_digits(return_X_y=True)
    x, y = (pixels.reshape(-1, 8, 8, 1).astype(np.float32) - 5) / 6, digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=540, stratify=y, random_state=0)
    test = test_x, test_y

    train_radamw(steps, train_x, train_y, test)
    curves = {}
    for name, (recipe, _) in OPTIMIZERS.items():
        curves[name] = train_all(recipe, seeds, steps, jnp.array(train_x), jnp.array(train_y), test)
        means = curves[name][1][..., -1].mean(axis=1)
        status = f"accuracy {means.max():6.1%} at its best learning rate, {RATES[means.argmax()]:g}"
        print(f"{name:<17} {steps:>5}/{steps}  {status}", flush=True)

    print(f"\nTest accuracy in % at four learning rates: mean and range over {seeds} seeds")
    print(" " * 17, *(f"{f'rate {rate:g}':>16}" for rate in RATES))
    last = {name: accuracies[..., -1] for name, (_, accuracies) in curves.items()}
    for name, rates in last.items():
        texts = (f"{runs.mean():.1f} {f'{runs.min():.1f}-{runs.max():.1f}':>10}" for runs in 100 * rates)
        print(f"{name:<17}", *(f"{text:>16}" for text in texts))
    title, found = findings(last)
    print(f"One test image is {100 / len(test_y):.2f} %.\n", *found, PURPOSE, sep="\n")

    rows = [
        (name, RATES[rate], seed, (i + 1) * CHUNK, f"{losses[rate, seed, i]:.6g}", accuracies[rate, seed, i])
        for name, (losses, accuracies) in curves.items()
        for rate, seed, i in np.ndindex(losses.shape)
    ]
    with (out / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        header = "optimizer", "learning_rate", "seed", "step", "train_loss", "test_accuracy"
        csv.writer(file).writerows([header, *rows])
    draw(last, title).savefig(out / "accuracy.png", dpi=192)
    means = {name: dict(zip(RATES, rates.mean(axis=1).tolist(), strict=True)) for name, rates in last.items()}
    summary = {"device": device, "steps": steps, "seeds": seeds, "findings": found, "test_accuracy": means}
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    print(f"Wrote curves.csv, accuracy.png and summary.json to {out}.")


if __name__ == "__main__":
    main()
