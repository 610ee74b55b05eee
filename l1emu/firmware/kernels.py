"""Which kernels the project's own headers hold, told from their code and not from a version number.

Every kernel that a layer runs is compared, token by token (comments, pragmas and white space aside), with those
whose arithmetic is known here. The comparison is by hash. A kernel that differs is refused by name: its arithmetic
may differ.
"""

from __future__ import annotations

from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes
from l1emu.firmware.cpp import Place, Token, statements, template_end
from l1emu.firmware.project import Project

# The first 16 digits of the SHA-256 of each definition's tokens; hls4ml 1.3, backends Vivado and Vitis.
KNOWN: dict[str, frozenset[str]] = {
    "BatchedDenseForConv1D": frozenset({"d558145638014b93"}),
    "Conv1DLatency": frozenset({"350a782c90cd3dbb", "c8484cce3d987ff6"}),
    "Conv1DResource": frozenset({"11015352218dfa41", "4dcc5a4be77bb36f"}),
    "DenseLatency": frozenset({"92f98e3c13269a97"}),
    "DenseResource_rf_gt_nin_rem0": frozenset({"70a57fe42fcae54d"}),
    "DenseResource_rf_leq_nin": frozenset({"55290acb72be2af9"}),
    "Op_add": frozenset({"1f81a6546f057989"}),
    "Op_max": frozenset({"87b6eac22ee66ed2"}),
    "add": frozenset({"fb48ae09a7c1c808"}),
    "average": frozenset({"6bdea0ab206e0986"}),
    "avg": frozenset({"8c3b9c2ea8659b57"}),
    "cast": frozenset({"c3abfb2f43337211"}),
    "ceillog2": frozenset({"f5a98c5971fe275d"}),
    "concatenate1d": frozenset({"0291b4dce750d36d"}),
    "concatenate2d": frozenset({"7acd66cacf143b02"}),
    "concatenate2d_0": frozenset({"36c216c748ec7ba4"}),
    "concatenate2d_1": frozenset({"6247a02e7d296985"}),
    "concatenate3d": frozenset({"091060c7bd26e86d"}),
    "concatenate3d_0": frozenset({"556b91e40b25bfdf"}),
    "concatenate3d_1": frozenset({"8434186b0ad172a8"}),
    "concatenate3d_2": frozenset({"a58b82a5367ea605"}),
    "conv_1d_cl": frozenset({"70ced3b60e158cb8"}),
    "conv_1d_latency_cl": frozenset({"a63b7984eb8dbdc3", "affa9b6c7a530676"}),
    "conv_1d_resource_cl": frozenset({"42d2e3de7d9a6eb6", "c53b435502af9392"}),
    "dense": frozenset({"2318ea8c92bbf90d"}),
    "dense_latency": frozenset({"76ebea1ac86ada32"}),
    "dense_resource_rf_gt_nin_rem0": frozenset({"d9cb4dbc4705fb48"}),
    "dense_resource_rf_leq_nin": frozenset({"7bd1b81bfe70e9ca"}),
    "einsum": frozenset({"68ab0cbca1d107ac"}),
    "exp_fcn_float": frozenset({"64cbafbd524fc12d"}),
    "floorlog2": frozenset({"ccc70ff47bd8a98e"}),
    "global_pooling1d_cl": frozenset({"df40b1efa8d03da1"}),
    "init_exp_table": frozenset({"b1ba5291bcaad618"}),
    "init_exp_table_legacy": frozenset({"93abe88a22949f18"}),
    "init_invert_sqr_table": frozenset({"127efe0fdadebe6a"}),
    "init_invert_table": frozenset({"df183ad95313121b"}),
    "init_invert_table_legacy": frozenset({"fc53abbc8f30ea4d"}),
    "init_sigmoid_table": frozenset({"73b3f09f9ef2810f"}),
    "init_tanh_table": frozenset({"f8608265a7fc877b"}),
    "layernorm_1d": frozenset({"8da94226ab13139a"}),
    "layernormalize": frozenset({"6bb40e95a240c28f"}),
    "linear": frozenset({"c07174d7e2ef3312"}),
    "max": frozenset({"a6f0841bddece09a"}),
    "maximum": frozenset({"604feb2ce57fe5e5"}),
    "minimum": frozenset({"220438da6ffc35b0"}),
    "mult": frozenset({"18e1e94ebff539d9"}),
    "multiply": frozenset({"fe61dedb8bef966f"}),
    "normalize": frozenset({"f4fb6feae15f3310"}),
    "pointwise_conv_1d_cl": frozenset({"371b5ca301c3490f"}),
    "pointwise_conv_1d_latency_cl": frozenset({"f26c0fc89d64208a"}),
    "pool_op": frozenset({"63106c3d6b08a936"}),
    "pow2": frozenset({"f578f7271e4ece31"}),
    "reduce": frozenset({"bd5d81316f85416b"}),
    "relu": frozenset({"68b0904f2fdfc75e"}),
    "sigmoid": frozenset({"a7ebf7628a54f3aa"}),
    "sigmoid_fcn_float": frozenset({"504edf665bb69888"}),
    "softmax": frozenset({"236047f2a193855c"}),
    "softmax_argmax": frozenset({"c6f053f9cb0b35db"}),
    "softmax_idx_from_real_val": frozenset({"07b903c66ed94458"}),
    "softmax_latency": frozenset({"cbdb97dc345c52aa"}),
    "softmax_legacy": frozenset({"35aa278d11d8f0ce"}),
    "softmax_multidim": frozenset({"c8892f3b0f9a623a"}),
    "softmax_real_val_from_idx": frozenset({"c92e5d6481a325b0"}),
    "softmax_stable": frozenset({"bf8d79fc0dbccd47"}),
    "subtract": frozenset({"88f245967630d6d2"}),
    "tanh": frozenset({"f6c69cdea5008525"}),
    "transfer_idx": frozenset({"8b17fe92fb0e64ec"}),
    "transpose": frozenset({"b8ae6cc10f1868ee"}),
}


def defined_name(statement: list[Token], place: Place) -> str | None:
    """The name of the function, class or struct that a statement at namespace level defines."""
    tokens = statement
    while tokens and tokens[0].text == "template":
        tokens = tokens[template_end(tokens, 1, place.path) + 1 :]
    texts = [token.text for token in tokens]
    if not texts or "{" not in texts:
        return None
    if texts[0] in ("struct", "class"):
        return texts[1]
    head = texts[: texts.index("{")]
    if "(" not in head or texts[0] == "enum":
        return None
    name = head[head.index("(") - 1]
    return name if name.isidentifier() else None


def fingerprints(project: Project) -> dict[str, str]:
    """The fingerprint of every definition in the kernels' headers, overloads of one name together."""
    texts: dict[str, list[str]] = {}
    for lexed in project.headers.values():
        if lexed.path.name == "nnet_code_gen.h":
            continue  # written for the project; the reader looks into it where it matters
        for statement in statements(lexed.tokens, lexed.path):
            name = defined_name(statement, Place(lexed.path, statement[0].line))
            if name is not None:
                texts.setdefault(name, []).append(" ".join(token.text for token in statement))
    return {name: sha256_bytes("\n".join(parts).encode())[:16] for name, parts in texts.items()}


class Kernels:
    """The kernels of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found = fingerprints(project)

    def require(self, place: Place, *names: str) -> None:
        """Raise `L1emuError` unless each definition is present and known."""
        for name in names:
            found = self._found.get(name)
            if found is None:
                raise place.error(f"the kernel nnet::{name} is not in nnet_utils")
            if found not in KNOWN.get(name, ()):
                file = self._where(name)
                raise L1emuError(
                    f"the kernel nnet::{name} is not one whose arithmetic is known here",
                    path=self._project.firmware / "nnet_utils" / file,
                    where=name,
                    value=found,
                    expected=" or ".join(sorted(KNOWN.get(name, ()))) or None,
                )

    def _where(self, name: str) -> str:
        for lexed in self._project.headers.values():
            for statement in statements(lexed.tokens, lexed.path):
                if defined_name(statement, Place(lexed.path, statement[0].line)) == name:
                    return lexed.path.name
        return ""
