"""Vectors of 16 numbers for compiled kernels: what numba's own loops cannot do is keep running sums in registers across events.

A value of type :class:`Lanes` is an LLVM vector, split by the compiler into whatever registers the processor has, so that the
same code runs anywhere. ``load`` and ``store`` take a contiguous one-dimensional array and the index of the first of 16
neighbours, unchecked.
"""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

LANES = 16
OPTIONS = {"nogil": True, "error_model": "numpy", "cache": True}  # of every compiled kernel
_ELEMENTS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint32: ir.IntType(32),
    types.boolean: ir.IntType(1),
}
intrinsic: Any = numba_intrinsic  # its decorator changes the arguments, which type checkers cannot follow


class Lanes(types.Type):
    """16 numbers of one type (float32, float64, uint32, or boolean: a mask)."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, _vector(fe_type.dtype))


def _vector(dtype: types.Type) -> ir.VectorType:
    return ir.VectorType(_ELEMENTS[dtype], LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.gep(data, [index])
    return builder.bitcast(start, _vector(array_type.dtype).as_pointer())


def _load(result: Callable[[types.Type], types.Type]) -> Any:
    def build(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = builder.load(_pointer(context, builder, array, *arguments))
            value.align = array.dtype.bitwidth // 8
            wanted = _vector(result(array.dtype))
            return value if value.type == wanted else builder.fpext(value, wanted)

        return Lanes(result(array.dtype))(array, types.intp), generate

    return intrinsic(build)


load = _load(lambda dtype: dtype)  # (array, index): 16 neighbours
load_double = _load(lambda dtype: types.float64)  # the same in double precision


@intrinsic
def peek(typing: Any, array: Any, index: Any) -> Any:
    """One element of ``array``, without numba's look at the sign of the index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def poke(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write one element of ``array``, as :func:`peek` reads it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        builder.store(arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.none(array, types.intp, array.dtype), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write 16 numbers, rounded to the type of ``array``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = arguments[2]
        if array.dtype != value.dtype:
            numbers = builder.fptrunc(numbers, _vector(array.dtype))
        done = builder.store(numbers, _pointer(context, builder, array, *arguments[:2]))
        done.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(array, types.intp, value), generate


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """The same number 16 times."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        empty = ir.Constant(_vector(number), ir.Undefined)
        one = builder.insert_element(empty, arguments[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, empty, zeros)

    return Lanes(number)(number), generate


def _operation(arity: int, code: Callable[..., Any], result: Callable[[Any], types.Type] = lambda kind: kind) -> Any:
    """The intrinsic of ``arity`` vectors whose LLVM code is ``code(builder, *values)``, of the type ``result`` of the last."""

    def build(typing: Any, *kinds: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return code(builder, *arguments)

        return result(kinds[-1])(*kinds), generate

    # numba reads how many arguments there are from the signature
    names = ("typing", *"abc"[:arity])
    build.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])  # type: ignore
    return intrinsic(build)


def _instruction(method: str, arity: int = 2) -> Any:
    return _operation(arity, lambda builder, *values: getattr(builder, method)(*values))


def _comparison(symbol: str) -> Any:
    return _operation(2, lambda builder, a, b: builder.fcmp_ordered(symbol, a, b), lambda kind: Lanes(types.boolean))


def _conversion(dtype: types.Type, method: str) -> Any:
    return _operation(1, lambda builder, a: getattr(builder, method)(a, _vector(dtype)), lambda kind: Lanes(dtype))


def _library(name: str, arity: int) -> Any:
    """A function of LLVM's own, of one type for arguments and result."""

    def code(builder: Any, *values: Any) -> Any:
        vector = values[0].type
        suffix = "f32" if vector.element == ir.FloatType() else "f64"
        kind = ir.FunctionType(vector, [vector] * arity)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}{suffix}")
        return builder.call(function, values)

    return _operation(arity, code)


def _of_mask(count: bool) -> Any:
    def code(builder: Any, mask: Any) -> Any:
        packed = builder.bitcast(mask, ir.IntType(LANES))
        return builder.zext(builder.ctpop(packed) if count else packed, ir.IntType(64))

    return _operation(1, code, lambda kind: types.int64)


def _folded(combine: Any) -> Any:
    """Combine the 16 numbers to one, halves first (a fixed order)."""

    def code(builder: Any, vector: Any) -> Any:
        width = LANES
        while width > 1:
            width //= 2
            halves = (ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(k, k + width))) for k in (0, width))
            vector = combine(builder, *(builder.shuffle_vector(vector, vector, half) for half in halves))
        return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    return _operation(1, code, lambda kind: kind.dtype)


add, sub, mul, div = (_instruction(method) for method in ("fadd", "fsub", "fmul", "fdiv"))
fused = _library("fma", 3)  # a * b + c, rounded once
root = _library("sqrt", 1)
at_least, below, differs = _comparison(">="), _comparison("<"), _comparison("!=")
select = _instruction("select", 3)  # of (mask, a, b): a where the mask is set, else b
bits = _of_mask(count=False)  # the mask as an integer: 0 when no lane is set
count = _of_mask(count=True)  # number of lanes set
total = _folded(lambda builder, a, b: builder.fadd(a, b))
largest = _folded(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))
# of uint32
plus, xor, either = _instruction("add"), _instruction("xor"), _instruction("or_")
up, down = _instruction("shl"), _instruction("lshr")  # a 2^b, a / 2^b
down_signed = _instruction("ashr")  # the same for a two's complement
as_float = _conversion(types.float32, "bitcast")  # the float32 with these bits
as_bits = _conversion(types.uint32, "bitcast")
to_float = _conversion(types.float32, "sitofp")  # the float32 nearest to this two's complement
odd = _conversion(types.boolean, "trunc")  # whether the lowest bit is set


def padded(n: int) -> int:
    """``n`` rounded up to whole vectors."""
    return -(-n // LANES) * LANES
