"""Splices what all estimators share into the docstring of each, so that `help` is complete."""

import textwrap

__all__ = ["splice"]

SHARED = {
    "{adaptive_parameters}": """
gamma : float, default=0.5
    Exponent of the adaptive weights; 0 makes all of them 1. Where components go silent, as when
    8 of 1,536 are to be active, 0.25 spares the weak (docs/weight_rules.md).
ema_beta : float, default=0.999
    Decay per step of the moving averages.
ema_correction : bool, default=True
    Whether the averages start at 0 with bias correction; False starts them at 1 (paper).
weight_statistic : {"active_mean", "mean"}, default="active_mean"
    Activity: mean code over the rows where a component is active, or over all rows (paper).
weight_reference : {"median", "top"} or float, default="median"
    R: median activity of the components that have fired, mean of the largest (paper), or, given as
    a float, that quantile of those that have fired: 0.9 lies above nine tenths of them.
weight_top_share : float, default=0.01
    Share of components whose mean activity is the reference "top".
weight_min, weight_max : float, default=0.1 and 10.0
    Bounds of the weights before normalisation.
weight_cap : {"hard", "soft"}, default="hard"
    How weights are kept within the bounds: clipped (paper), or bent towards them so smoothly that
    two components never share a weight for being beyond a bound: :math:`w = e^u` becomes
    :math:`e^{b \\tanh(u / b)}`, b the logarithm of the nearer bound. Weights near 1 stay.
normalize_weights : bool, default=True
    Whether weights are divided by their mean over the penalty, so that adapting them
    changes who is penalised, and not how much all are.
adaptation_start, adaptation_ramp : int or float, default=0.2 and 0.05
    Phase with weights 1, and phase over which the adaptive weights fade in: steps (int) or
    shares of training (float). Published: 10,000 and 2,000 of 50,000 steps. A start of 0 means
    adaptive weights at once, without a ramp, as in the authors' code.
""",
    "{adaptive_attributes}": """
adaptive_weights_ : ndarray of shape (n_components,)
    Weights in the last step.
pinned_share_ : float
    Share of weights that reach `weight_min` or `weight_max`, or would without a cap. Near 1,
    adapting is only another name for a stronger or weaker `lambda_1`.
""",
    "{calibrated_attributes}": """
threshold_ : float or ndarray of shape (n_components,)
    What a pre-code must exceed to be active in `transform`, in the units of `X`; one each where
    there is a `code_scale_`. `fit` sets it after training, so that as many components are active
    per training row as in training (by up to 32,768 rows). After a stream or `partial_fit` it is
    a running mean over training batches.
""",
    "{choice_parameters}": """
dead_features : {"aux_zipf", "auxk", None}, default="aux_zipf"
    How dead features are revived: "aux_zipf" is AuxK for dying ones, too.
aux_coefficient : float or None, default=None
    Factor of either; None means 1/32 (that of AuxK: Gao et al. 2024, appendix A.2).
k_aux : int or None, default=None
    Most features per row that it lets take part. None means n_features / 2 for "auxk" (appendix
    B.1) and n_features for "aux_zipf": with fewer, the dying crowd out the dead.
zipf_exponent : float, default=1.0
    a in Zipf's law: the component of rank r fires on a share of rows that is proportional to
    (r + q)^-a; 0 makes all the same.
zipf_offset : float or None, default=None
    q; None means `k`. Then the first rank has a share of at most 1 / log(1 + n_components / k),
    where with 0 several components may have to fire on every row.
dying_share : float, default=0.05
    A component is dying if it fires on less than this part of that share, or of the mean one if
    that is less; 0 leaves only the dead, as AuxK does. From 0.1 up, more died than with AuxK in
    three of four tests on synthetic data.
""",
    "{revival_parameters}": """
dead_features : {"auxk", "ghost", "resample", None}, default=None
    How features are revived that were silent for `dead_window`. "auxk" lets them reconstruct what
    the others left over (Gao et al. 2024), by their pre-codes without the ReLU: those of a dead
    feature are negative on every row. "ghost" does so by the exponential of their pre-codes, and in
    proportion to the error (ghost gradients, Anthropic, January 2024). "resample" starts them again
    from rows that are explained badly (Bricken et al. 2023).
aux_coefficient : float or None, default=None
    Factor of the first two; None means 1/32 for "auxk" and 1 for "ghost", as published.
k_aux : int or None, default=None
    Most dead features per row in AuxK; None means n_features / 2.
resample_at : list of int or float, default=(0.125, 0.25, 0.375, 0.5)
    When to resample: steps (int) or shares of training (float). Published: after 25, 50, 75 and
    100 thousand steps; the shares are ours.
""",
    "{target_parameters}": """
target_l0 : float or None, default=None
    Mean number of active components per row to train to: `lambda_1` is then only where its
    strength starts, and a controller drives it, by the L0 of the batches, to the end of training.
    Rows that were not trained on come within 5 % of the target where the estimator does not
    overfit and training is not very short: tested with 600 steps, and a `lambda_1` ten times too
    small or too large. (Overfitted, codes of new rows are more: after 60 epochs on 1,400 digits, L0
    was within 4 % on these, and 8 to 11 % above on others.) Other penalties, such as `lambda_2`,
    stay as they are. Exact and refined codes are more or less than the encoder's at the same
    strength: with `transform_method="exact"`, or two `refine_steps` and more, `fit` ends by finding
    one at which they are as many on up to 4,096 training rows. `partial_fit` does not: after it,
    they have the strength of training, until `match_l0` is called. (`debias` and a single step of
    refinement only take codes away from the encoder's: L0 ends below the target. As
    `debias="thresholded"` takes most of them, it is refused there.)
""",
    "{penalised_attributes}": """
lambda_1_ : float
    Strength of the penalty as training ended: `lambda_1`, or where `target_l0` has driven it;
    less where training has ended before its warm-up. After a `fit` to a `target_l0` with
    `transform_method="exact"` or `refine_steps`, the strength at which those codes meet it.
""",
    "{exact_parameters}": """
transform_method : {"encoder", "exact"}, default="encoder"
    How `transform`, `reconstruct` and `score` find codes: by the encoder, or as the exact minimum
    of the objective over non-negative codes, on the dictionary that was learned.
refine_steps : int, default=0
    With "encoder", rounds of the exact solver from the encoder's codes on: the first finds the best
    codes of the components that the encoder chose, each further one lets in up to 16 components
    that would explain more than they cost. Not faster than "exact" where the encoder has chosen
    far more components than are needed, as it solves for all of them.
debias : bool or "thresholded", default=False
    Whether codes, however found, are replaced by those of the same components that reconstruct the
    row best: non-negative least squares, without what the penalties take off. A component that
    least squares would have negative is left out. With "thresholded", components whose code is then
    less than the penalty takes off one that is alone are left out as well, the lesser half of them
    at a time, and the others are fitted again: such components are only there because others were
    shrunk, share with others like them, or fit noise. All is in the units of training, where
    whitened directions count alike.
decoder_refits : int, default=0
    How many times, at the end of `fit`, codes are found as `transform` would and
    :meth:`refit_decoder` fits the decoder to them, each time on up to 32,768 training rows, drawn
    anew. The encoder is not trained again: from the second on, this is for exact codes.
""",
    "{n_components}": """
n_components : int or float, default=8.0
    Number of components: an int is absolute, a float a multiple of the number of features.
""",
    "{multi_parameters}": """
multi_k : int or None, default=None
    Components of a second reconstruction, more than `k`, whose error counts as well
    (Multi-TopK). Without it, `k` codes reconstruct well and more of them worse. Published: None
    or 4 * k. More than `n_components` means all of them.
multi_coefficient : float, default=1/8
    Factor of that error (Gao et al. 2024); unused without `multi_k`.
""",
    "{topk_parameters}": """
dead_features : {"auxk", None}, default="auxk"
    How dead features are revived.
aux_coefficient : float or None, default=None
    Factor of AuxK; None means 1/32 (Gao et al. 2024, appendix A.2).
k_aux : int or None, default=None
    Most dead features per row in AuxK; None means n_features / 2 (appendix B.1).
""",
    "{nested_parameters}": """
widths : list of int or float, or None, default=None
    Components of each level, counted from the first component: ints are counts, floats shares
    of `n_components`. They ascend; `n_components` is appended where the last is less. Shares
    that round to the same count are one level. None: groups of 1/32, 1/16, 1/8, 1/4 and the
    rest, that is [1/32, 3/32, 7/32, 15/32, 1.0] (Bussmann et al. 2025).
beta : float, default=1.0
    Weight of each level relative to the next one out; the outermost has weight 1. 0 leaves only
    that; 1 is the sum of published code. Chanin et al. (2025) find values below 1 to balance
    hedging and absorption; which one depends on the data.
level_weights : list of float or None, default=None
    Weights of the levels, from the innermost on, in the place of powers of `beta`. A level of
    weight 0 is left out.
detached : bool, default=False
    Whether each level trains only the components that the level before it does not have: the
    limit of a large `beta` (Chanin et al. 2025). The decoder bias learns from all levels.
""",
    "{nested_attributes}": """
widths_ : ndarray of shape (n_levels,)
    Components of each level whose weight is not 0.
level_weights_ : ndarray of shape (n_levels,)
    Weights of these levels.
""",
    "{tree_parameters}": """
layer_sizes, layer_k : list of int or of float, default=(0.25, 0.75) and (0.8125, 0.1875)
    Components of each layer, and its most active ones: shares of `n_components` and of `k` that
    sum to 1, or ints (of active ones, in the place of `k`). A share of less than a component makes
    no layer; each has at least one active. Of `k`, what is more than a layer has goes to later
    ones that have room, then to earlier ones. Published: the defaults, or for k = 32 four layers of
    1,536, 3,072, 9,216 and 10,752 with 21, 5, 4 and 2.
tau : float, default=1e-3
    What a parent's code must exceed in the units of training; in those of `X`, that is
    `tau / input_scale_`, or `tau * code_scale_` of whitened rows. Published for rows of variance
    1, which is what scaling aims at.
aux_layers : list of int, default=(0,)
    Layers with AuxK, counted from 0 (as released). Dead components take part where their parent
    is active; in other layers all they get is a new parent.
reallocation_interval, reallocation_stop : int or float, default=0.03 and 0.5
    Steps, or shares of training: to the first reallocation, 0 for none (intervals double, up to
    10/3 of the first), and to the last, when dead children go to the root. Published: steps 3,000
    and 50,000.
""",
    "{shared_parameters}": """
batch_size : int, default=256
    Rows per optimiser step. Use a few thousand for millions of rows.
max_epochs : int, default=20
    Passes over the data; unused if `max_steps` is given.
max_steps : int or None, default=None
    Optimiser steps in all, over as many or as few passes as that takes. For `partial_fit`
    this is the planned length of the whole training, over all calls.
learning_rate : float, default=1e-3
    Of the optimiser, between warm-up and decay.
lr_warmup, lr_decay : int or float, default=0.05 and 0.2
    Linear rise from 0 and fall to 0 of the learning rate: an int counts steps, a float is a
    share of training. Without `max_steps`, `partial_fit` cannot know its end: shares then
    refer to 1,000 steps and the learning rate does not fall.
optimizer : {"adam", "adamw", "sgd"} or callable, default="adam"
    A callable takes the parameters and `lr`, as the classes in `torch.optim` do; use
    `functools.partial` for further options.
init : {"data", "data_median", "paper"}, default="data"
    "data": decoder bias at the mean of the data, random unit atoms (points of the data in an
    `ArchetypalSAE`), encoder equal to the atoms times one factor that fits the data best.
    "data_median": the same with the geometric median. "paper": uniform weights and a decoder
    bias of 0, as published with the AEN-SAE; on data with a large mean most features die within
    a few steps.
input_scaling : {None, "mean_norm", "sample_norm", "whiten"}, default="mean_norm"
    Units of training. "mean_norm": one factor, so that rows have mean norm
    sqrt(n_features); penalties then mean the same on any data. "sample_norm": each row to
    norm sqrt(n_features); one below a millionth of the mean norm counts as 0, and has codes and a
    reconstruction of 0 (a `Transcoder` predicts as from a row of mean norm). "whiten": the mean is
    subtracted and directions are scaled to equal variance (ZCA, with a ridge of a thousandth of the
    mean variance), as estimated from up to 32,768 rows, in a time of O(n_features^3); for atoms
    that share directions of high variance. Not for `ArchetypalSAE`, `PolySAE`, `Transcoder` and
    `Crosscoder`. All results are given in the units of `X`, whatever the scaling.
shuffle : bool, default=True
    Whether each epoch visits all rows in a new order, by index; `X` is never copied.
validation_fraction : float, default=0.0
    Share of rows that `fit` holds out, to record `valid_loss` in every epoch for callbacks
    such as skorch's `EarlyStopping`. `partial_fit` holds out nothing.
dead_window : int or float, default=1.0
    A feature is dead when it has not fired in this many samples (int) or this many epochs
    (float), but at most a quarter of training: in a single pass over the data, an epoch of
    silence would come too late for any remedy.
log_interval : int or float, default=0.01
    Steps per row of `history_`, or a share of training.
warm_start : bool, default=False
    Whether `fit` starts from the weights and the scaling of the last fit instead of new ones.
    Optimiser, schedules and adaptive weights start afresh.
checkpoint_dir : str, path or None, default=None
    Folder for checkpoints of `fit`. If it holds some of the same fit (class, parameters and
    data), training goes on from the newest; a finished fit is loaded and not repeated. Each fit
    needs a folder of its own. `partial_fit` refuses it.
checkpoint_interval : int or float, default=0.05
    Steps between two checkpoints, or a share of training. The last two are kept.
callbacks : list of skorch.callbacks.Callback, default=()
    Run during training, with `net_` as their net. `lr_warmup=0, lr_decay=0` hands the learning
    rate to an `LRScheduler`.
device : str or torch.device, default="auto"
    "cpu", "cuda", "cuda:1", "mps", ...; "auto" takes CUDA if there is one, else the CPU.
dtype : {"float32", "float64"}, default="float32"
    Of weights and computation. Outputs have the dtype of the input.
matmul_precision : {"highest", "high", "medium"}, default="highest"
    Of float32 products, as in :func:`torch.set_float32_matmul_precision`, but only within this
    estimator's own work. "high" lets a GPU use TF32. "medium" also lets hardware on which that is
    faster choose the active components by a bfloat16 product; codes stay in single precision. A CPU
    is timed for that once per process, so only there another process may choose otherwise.
random_state : int, RandomState instance or None, default=None
    Of initial weights and the order of rows. The same seed gives the same weights: bit for bit
    on a CPU and for the same memory order of `X` (C or Fortran), otherwise, as on a GPU, up to
    the rounding of sums.
sparse_output : bool, default=False
    Whether `transform` returns a SciPy CSR array instead of a dense one. Data frames
    (`set_output`) need dense codes.
verbose : bool, default=False
    Whether to show a progress bar.
""",
    "{shared_attributes}": """
components_ : ndarray of shape (n_components, n_features)
    Atoms as rows, of unit norm but for `ArchetypalSAE` and `PolySAE`. The reconstruction is
    `codes @ components_ + decoder_bias_`; of a `PolySAE`, this is the linear part.
encoder_weights_ : ndarray of shape (n_components, n_features)
    Pre-codes are `(X - encoder_offset_) @ encoder_weights_.T + encoder_bias_`.
encoder_bias_ : ndarray of shape (n_components,)
    In the units of `X`. With `input_scaling="sample_norm"` both biases are those of a row of mean
    norm; another row's are proportional to its norm.
encoder_offset_ : ndarray of shape (n_features,)
    What is subtracted before encoding: `decoder_bias_`, or zeros where the docstring's formula has
    no b in the encoder.
decoder_bias_ : ndarray of shape (n_features,)
    In the units of `X`, with the same exception.
n_components_ : int
    Number of components.
feature_density_ : ndarray of shape (n_components,)
    Share of the last `n_density_samples_` training rows on which each component fired.
n_density_samples_ : int
    The last 5 to 10 % of training, as codes get sparser until the end.
n_dead_ : int
    Components that did not fire on any of the last `dead_window_` training rows.
dead_window_ : int
    Number of rows behind `n_dead_`.
input_scale_ : float
    Factor from the units of `X` to those of training (for a row of mean norm, if
    `input_scaling="sample_norm"`); 1 with "whiten", which is no factor.
whitening_ : ndarray of shape (n_features, n_features) or None
    With `input_scaling="whiten"`, rows in training are `(X - whitening_mean_) @ whitening_`.
whitening_mean_ : ndarray of shape (n_features,) or None
    With "whiten", what is subtracted there.
code_scale_ : ndarray of shape (n_components,) or None
    With "whiten", and after `refit_decoder` where components compete for a budget: by how much
    pre-codes and codes are larger than those by which is chosen, so that TopK takes the largest of
    `pre_codes / code_scale_`. Otherwise None.
n_iter_ : int
    Epochs begun.
n_steps_ : int
    Optimiser steps taken.
history_ : dict of str to list
    One entry per `log_interval` in every column: step, epoch, loss and each weighted term of
    it, explained_variance and l0 (of up to 256 and all rows of
    every tenth batch), dead_share, sparse_share (of
    batches whose step touched active codes only), learning_rate, rows_per_second; with
    the `target_l0` of a penalty also lambda_1, as it is or, in a warm-up, will be.
net_ : SAENet
    The skorch net that trained the module.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Their names, if `X` had any.
""",
}


def splice(docstring: str | None) -> str | None:
    """Replace the lines that hold nothing but a placeholder by the shared text, indented alike."""
    if docstring is None:
        return None
    lines = []
    for line in docstring.splitlines():
        shared = SHARED.get(line.strip())
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(line if shared is None else textwrap.indent(shared.strip("\n"), indent))
    return "\n".join(lines)
