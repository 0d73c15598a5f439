"""Vectors of 16 numbers for compiled kernels: what numba's own loops cannot do is keep running sums in registers across events.

A value of type :class:`Lanes` is an LLVM vector, split by the compiler into whatever registers the processor has, so that the
same code runs anywhere. ``load`` and ``store`` take a contiguous one-dimensional array and the index of the first of 16
neighbours, unchecked.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

LANES = 16
OPTIONS = {"nogil": True, "error_model": "numpy", "cache": True}  # of every compiled kernel
intrinsic: Any = numba_intrinsic  # its decorator changes the arguments, which type checkers cannot follow


class Lanes(types.Type):
    """16 numbers of one type (float32, float64, uint32, or boolean: a mask)."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_element(fe_type.dtype), LANES))


def _element(dtype: types.Type) -> ir.Type:
    elements = {
        types.float32: ir.FloatType(),
        types.float64: ir.DoubleType(),
        types.uint32: ir.IntType(32),
        types.boolean: ir.IntType(1),
    }
    return elements[dtype]


def _vector(dtype: types.Type) -> ir.VectorType:
    return ir.VectorType(_element(dtype), LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.gep(data, [index])
    return builder.bitcast(start, _vector(array_type.dtype).as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """16 neighbours of ``array``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(_pointer(context, builder, array, *arguments))
        value.align = array.dtype.bitwidth // 8
        return value

    return Lanes(array.dtype)(array, types.intp), generate


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
def load_double(typing: Any, array: Any, index: Any) -> Any:
    """16 neighbours of ``array`` in double precision."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(_pointer(context, builder, array, *arguments))
        value.align = array.dtype.bitwidth // 8
        return value if array.dtype == types.float64 else builder.fpext(value, _vector(types.float64))

    return Lanes(types.float64)(array, types.intp), generate


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


def _binary(method: str) -> Any:
    def build(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, method)(*arguments)

        return a(a, a), generate

    return build


def _comparison(symbol: str) -> Any:
    def build(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.fcmp_ordered(symbol, *arguments)

        return Lanes(types.boolean)(a, a), generate

    return build


add = intrinsic(_binary("fadd"))
sub = intrinsic(_binary("fsub"))
mul = intrinsic(_binary("fmul"))
div = intrinsic(_binary("fdiv"))
at_least = intrinsic(_comparison(">="))
below = intrinsic(_comparison("<"))
differs = intrinsic(_comparison("!="))
# of uint32
plus = intrinsic(_binary("add"))
xor = intrinsic(_binary("xor"))
either = intrinsic(_binary("or_"))
up = intrinsic(_binary("shl"))  # a 2^b
down = intrinsic(_binary("lshr"))  # a / 2^b
down_signed = intrinsic(_binary("ashr"))  # the same for a two's complement


def _conversion(result: types.Type, method: str) -> Any:
    def build(typing: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, method)(arguments[0], _vector(result))

        return Lanes(result)(a), generate

    return build


as_float = intrinsic(_conversion(types.float32, "bitcast"))  # the float32 with these bits
as_bits = intrinsic(_conversion(types.uint32, "bitcast"))
to_float = intrinsic(_conversion(types.float32, "sitofp"))  # the float32 nearest to this two's complement
odd = intrinsic(_conversion(types.boolean, "trunc"))  # whether the lowest bit is set


@intrinsic
def root(typing: Any, a: Any) -> Any:
    """Square root."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(a.dtype)
        suffix = "f32" if a.dtype == types.float32 else "f64"
        kind = ir.FunctionType(vector, [vector])
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}{suffix}"), arguments
        )

    return a(a), generate


@intrinsic
def fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(a.dtype)
        suffix = "f32" if a.dtype == types.float32 else "f64"
        kind = ir.FunctionType(vector, [vector] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}{suffix}")
        return builder.call(function, arguments)

    return a(a, a, a), generate


@intrinsic
def select(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """``a`` where the mask is set, else ``b``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return a(mask, a, a), generate


@intrinsic
def bits(typing: Any, mask: Any) -> Any:
    """The mask as an integer: 0 when no lane is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.zext(packed, ir.IntType(64))

    return types.int64(mask), generate


@intrinsic
def count(typing: Any, mask: Any) -> Any:
    """Number of lanes set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.zext(builder.ctpop(packed), ir.IntType(64))

    return types.int64(mask), generate


def _folded(combine: Any) -> Any:
    """Combine the 16 numbers to one, halves first (a fixed order)."""

    def build(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector, width = arguments[0], LANES
            while width > 1:
                width //= 2
                parts = [
                    ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(start, start + width)))
                    for start in (0, width)
                ]
                vector = combine(builder, *(builder.shuffle_vector(vector, vector, part) for part in parts))
            return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

        return value.dtype(value), generate

    return build


total = intrinsic(_folded(lambda builder, a, b: builder.fadd(a, b)))
largest = intrinsic(_folded(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b)))


def padded(n: int) -> int:
    """``n`` rounded up to whole vectors."""
    return -(-n // LANES) * LANES
