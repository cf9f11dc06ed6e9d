// exp, log, tanh, erf, sin, cos, tan on scalars and vectors: range reduction and polynomials, branch-free. The
// coefficients are minimax fits (Remez) of the functions named beside them on the reduced ranges.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "compiler/codegen/scalar_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// (e^r - 1 - r) / r² on |r| <= ln(2) / 2.
constexpr auto kExp32 = std::to_array({0.500000007807708973, 0.166666668639787765, 0.0416662693211647507,
                                       0.00833326371343608766, 0.00139461191750937172, 0.000199186940610406332});
constexpr auto kExp64 =
    std::to_array({0.500000000000000000, 0.166666666666666667, 0.0416666666666667127, 0.00833333333333334215,
                   0.00138888888888639953, 0.000198412698412345647, 0.0000248015873633416305, 2.75573192928614658e-6,
                   2.75572418381716937e-7, 2.50520376223323951e-8, 2.09244285066094010e-9, 1.60958517430723356e-10});

// (log(1 + f) - f + f²/2) / f³ on [√½ - 1, √2 - 1].
constexpr auto kLog32 = std::to_array({0.333333105101358289, -0.249999861271837045, 0.200022226837979144,
                                       -0.166692731522656552, 0.142187383776748760, -0.123840301612827803,
                                       0.118721761457084925, -0.117912614320160336, 0.0691863726353982762});
// (2 atanh(s) - 2 s) / s³ in s² for s = f / (2 + f).
constexpr auto kAtanh64 = std::to_array({0.666666666666666667, 0.399999999999999357, 0.285714285714586446,
                                         0.222222222153316251, 0.181818190741330620, 0.153845457005668734,
                                         0.133366769611712398, 0.116685390286061399, 0.120349407037652684});

// (sin(x) - x) / x³ and (cos(x) - 1 + x²/2) / x⁴ in x² on |x| <= π/4.
constexpr auto kSin32 =
    std::to_array({-0.166666666415386939, 0.00833332937436375272, -0.000198393309471557685, 2.71827349716001272e-6});
constexpr auto kCos32 =
    std::to_array({0.0416666666226513959, -0.00138888837379412738, 0.0000247995158641581838, -2.72098905968094748e-7});
constexpr auto kSin64 =
    std::to_array({-0.166666666666666666, 0.00833333333333332277, -0.000198412698412550631, 2.75573192141878743e-6,
                   -2.50521049108776623e-8, 1.60583665322428110e-10, -7.57869294488251095e-13});
constexpr auto kCos64 =
    std::to_array({0.0416666666666666666, -0.00138888888888888741, 0.0000248015873015714787, -2.75573192153663762e-7,
                   2.08767543636242858e-9, -1.14702929398993108e-11, 4.73809284057103247e-14});

// erf(x) / x as a ratio in x² on [0, 3.92], relative error 1.9e-8 (least squares, reweighted until the error is level).
constexpr auto kErfOver32 = std::to_array({1.1283791461486086, 0.19040591097324247, 0.052748642972757318,
                                           0.0037655921542822744, 0.00028488202388436261, 2.0500890906883736e-06});
constexpr auto kErfUnder32 = std::to_array({1.0, 0.50207558604603053, 0.11410887631918933, 0.014969165860302641,
                                            0.0011625292983762478, 3.8091698483037697e-05});
// erf(x) / x in x² on [0, 1].
constexpr auto kErf64 =
    std::to_array({1.12837916709551257, -0.376126389031837525, 0.112837916709551256, -0.0268661706451312191,
                   0.00522397762544168238, -0.000854832702340366942, 0.000120553329789141051, -0.0000149256502381838375,
                   1.64621108117941703e-6, -1.63657691622192447e-7, 1.48060333565469549e-8, -1.22777860733741274e-9,
                   9.32400371777142286e-11, -6.19763258889400266e-12, 2.80799241573427973e-13});
// -log(erfc(x)) in (x - 1) / 5 on [1, 6].
constexpr auto kLogErfc64 = std::to_array(
    {1.84960550993324825, 13.1948375711739563,  21.0776814089621502,  5.19513725581297347,  -6.27114089626119334,
     6.18094693486897641, -3.70819846393544707, -2.05237232169540936, 10.6019426976800375,  -18.7046283123609299,
     19.6999358354474736, -4.90318524779783624, -31.6827040549910470, 86.2122806614916943,  -140.465876507414962,
     167.837718738436852, -151.642977169691557, 101.581221410972927,  -47.6835495042450492, 13.9850083890527767,
     -1.92416101811916138});

bool isSingle(llvm::Value *x) { return x->getType()->getScalarType()->isFloatTy(); }

// ln 2 in two parts; the first has so few bits that its products with exponents are exact.
constexpr double kLn2High32 = 0.693359375, kLn2Low32 = -2.1219444005469057e-4;
constexpr double kLn2High64 = 0x1.62e42fefap-1, kLn2Low64 = 0x1.cf79abc9e3b3ap-40;

}  // namespace

llvm::Value *ScalarEmitter::nearestInteger(llvm::Value *x, llvm::Value *&bits) {
  // 1.5 × 2^23 (2^52) leaves the integer in the low bits: no conversion, which would be undefined for NaN.
  llvm::Value *magic = constant(x->getType(), std::ldexp(1.5, isSingle(x) ? 23 : 52));
  llvm::Value *shifted = b_.CreateFAdd(x, magic);
  bits = b_.CreateSub(asInteger(shifted), asInteger(magic));
  return b_.CreateFSub(shifted, magic);
}

ScalarEmitter::Reduced ScalarEmitter::reduceExponent(llvm::Value *x) {
  bool single = isSingle(x);
  llvm::Type *type = x->getType();
  Reduced reduced;
  reduced.n = nearestInteger(b_.CreateFMul(x, constant(type, std::numbers::log2e)), reduced.bits);
  llvm::Value *r = multiplyAdd(reduced.n, constant(type, single ? -kLn2High32 : -kLn2High64), x);
  reduced.r = multiplyAdd(reduced.n, constant(type, single ? -kLn2Low32 : -kLn2Low64), r);
  return reduced;
}

llvm::Value *ScalarEmitter::clamp(llvm::Value *x, double low, double high) {
  llvm::Value *least = constant(x->getType(), low), *most = constant(x->getType(), high);
  llvm::Value *clamped = b_.CreateSelect(b_.CreateFCmpOGT(x, most), most, x);
  return b_.CreateSelect(b_.CreateFCmpOLT(clamped, least), least, clamped);
}

llvm::Value *ScalarEmitter::powerOfTwo(llvm::Value *n, llvm::Type *type) {
  bool single = type->getScalarType()->isFloatTy();
  llvm::Value *biased = b_.CreateAdd(n, integer(type, single ? 127 : 1023));
  return asFloat(b_.CreateShl(biased, single ? 23 : 52), type);
}

llvm::Value *ScalarEmitter::reducedExponentialMinusOne(llvm::Value *r) {
  llvm::Value *q = isSingle(r) ? polynomial(r, kExp32) : polynomial(r, kExp64);
  return multiplyAdd(b_.CreateFMul(r, r), q, r);
}

llvm::Value *ScalarEmitter::exponential(llvm::Value *x) {
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  // Beyond these the result is infinite or 0.
  Reduced reduced = reduceExponent(clamp(x, single ? -104 : -746, single ? 89 : 710));
  llvm::Value *p = reducedExponentialMinusOne(reduced.r);
  p = b_.CreateFAdd(p, constant(type, 1));
  // In two factors, as 2^n itself may not be a normal number.
  llvm::Value *half = b_.CreateAShr(reduced.bits, 1);
  llvm::Value *rest = b_.CreateSub(reduced.bits, half);
  return b_.CreateFMul(b_.CreateFMul(p, powerOfTwo(half, type)), powerOfTwo(rest, type));
}

llvm::Value *ScalarEmitter::splitMantissa(llvm::Value *x, llvm::Value *&exponent) {
  // x = m × 2^exponent with m in [√½, √2), for positive finite x.
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  unsigned mantissaBits = single ? 23 : 52;
  llvm::Value *smallest = constant(type, single ? 0x1p-126 : 0x1p-1022);
  llvm::Value *isSubnormal = b_.CreateFCmpOLT(x, smallest);
  llvm::Value *scaled = b_.CreateFMul(x, constant(type, std::ldexp(1.0, static_cast<int>(mantissaBits) + 2)));
  llvm::Value *bits = asInteger(b_.CreateSelect(isSubnormal, scaled, x));
  llvm::Value *half = integer(type, single ? 0x3f3504f3 : 0x3fe6a09e667f3bcd);
  llvm::Value *steps = b_.CreateAShr(b_.CreateSub(bits, half), mantissaBits);
  llvm::Value *m = asFloat(b_.CreateSub(bits, b_.CreateShl(steps, mantissaBits)), type);
  llvm::Value *correction =
      b_.CreateSelect(isSubnormal, integer(type, -static_cast<int64_t>(mantissaBits) - 2), integer(type, 0));
  exponent = b_.CreateSIToFP(b_.CreateAdd(steps, correction), type);
  return m;
}

llvm::Value *ScalarEmitter::atanhSeries(llvm::Value *z) { return polynomial(z, kAtanh64); }

llvm::Value *ScalarEmitter::logarithmOfDouble(llvm::Value *mantissa, llvm::Value *exponent) {
  llvm::Type *type = mantissa->getType();
  llvm::Value *f = b_.CreateFSub(mantissa, constant(type, 1));
  llvm::Value *s = b_.CreateFDiv(f, b_.CreateFAdd(f, constant(type, 2)));
  llvm::Value *z = b_.CreateFMul(s, s);
  // log(1 + f) = f - f²/2 + s (f²/2 + R(z)): the large terms are exact.
  llvm::Value *series = b_.CreateFMul(z, atanhSeries(z));
  llvm::Value *halfSquare = b_.CreateFMul(b_.CreateFMul(f, constant(type, 0.5)), f);
  llvm::Value *small = b_.CreateFMul(s, b_.CreateFAdd(halfSquare, series));
  small = multiplyAdd(exponent, constant(type, kLn2Low64), small);
  llvm::Value *sum = b_.CreateFSub(f, b_.CreateFSub(halfSquare, small));
  return multiplyAdd(exponent, constant(type, kLn2High64), sum);
}

llvm::Value *ScalarEmitter::logarithm(llvm::Value *x) {
  llvm::Type *type = x->getType();
  llvm::Value *exponent = nullptr;
  llvm::Value *m = splitMantissa(x, exponent);
  llvm::Value *result = nullptr;
  if (isSingle(x)) {
    llvm::Value *f = b_.CreateFSub(m, constant(type, 1));
    llvm::Value *square = b_.CreateFMul(f, f);
    llvm::Value *tail = b_.CreateFMul(b_.CreateFMul(square, f), polynomial(f, kLog32));
    tail = multiplyAdd(exponent, constant(type, kLn2Low32), tail);
    tail = multiplyAdd(square, constant(type, -0.5), tail);
    result = multiplyAdd(exponent, constant(type, kLn2High32), b_.CreateFAdd(f, tail));
  } else {
    result = logarithmOfDouble(m, exponent);
  }
  llvm::Value *zero = constant(type, 0);
  llvm::Value *infinity = constant(type, kInfinity);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, infinity), infinity, result);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, zero), constant(type, -kInfinity), result);
  return b_.CreateSelect(b_.CreateFCmpULT(x, zero), llvm::ConstantFP::getNaN(type), result);
}

llvm::Value *ScalarEmitter::hyperbolicTangent(llvm::Value *x) {
  // With m = e^(2|x|) - 1, which loses nothing near 0: tanh |x| = m / (m + 2).
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  llvm::Value *magnitude = absolute(x);
  llvm::Value *most = constant(type, single ? 10 : 22);
  magnitude = b_.CreateSelect(b_.CreateFCmpOGT(magnitude, most), most, magnitude);
  Reduced reduced = reduceExponent(b_.CreateFAdd(magnitude, magnitude));
  llvm::Value *p = reducedExponentialMinusOne(reduced.r);
  llvm::Value *power = powerOfTwo(reduced.bits, type);
  llvm::Value *m = multiplyAdd(power, p, b_.CreateFSub(power, constant(type, 1)));
  return copySign(b_.CreateFDiv(m, b_.CreateFAdd(m, constant(type, 2))), x);
}

llvm::Value *ScalarEmitter::errorFunction(llvm::Value *x) {
  llvm::Type *type = x->getType();
  llvm::Value *magnitude = absolute(x);
  llvm::Value *one = constant(type, 1);
  if (isSingle(x)) {
    // One ratio to where the rest is rounded away: a third of the instructions of the two halves below, which
    // counts where a network applies it to every element. The order of operands keeps NaN.
    llvm::Value *last = constant(type, 3.92);
    magnitude = b_.CreateSelect(b_.CreateFCmpOGT(magnitude, last), last, magnitude);
    llvm::Value *z = b_.CreateFMul(magnitude, magnitude);
    llvm::Value *over = b_.CreateFMul(magnitude, polynomial(z, kErfOver32));
    llvm::Value *ratio = b_.CreateFDiv(over, polynomial(z, kErfUnder32));
    return copySign(b_.CreateSelect(b_.CreateFCmpOGT(ratio, one), one, ratio), x);
  }
  llvm::Value *isSmall = b_.CreateFCmpULT(magnitude, one);  // NaN goes this way
  // Both halves are computed everywhere; each clamped to where its polynomial holds.
  llvm::Value *inner = b_.CreateSelect(isSmall, x, constant(type, 0));
  llvm::Value *near = b_.CreateFMul(inner, polynomial(b_.CreateFMul(inner, inner), kErf64));
  llvm::Value *last = constant(type, 6);
  llvm::Value *outer = b_.CreateSelect(b_.CreateFCmpOLT(magnitude, last), magnitude, last);
  outer = b_.CreateSelect(isSmall, one, outer);
  llvm::Value *t = b_.CreateFMul(b_.CreateFSub(outer, one), constant(type, 1.0 / 5));
  llvm::Value *rest = exponential(b_.CreateFNeg(polynomial(t, kLogErfc64)));
  llvm::Value *far = copySign(b_.CreateFSub(one, rest), x);
  return b_.CreateSelect(isSmall, near, far);
}

llvm::Value *ScalarEmitter::trigonometric(ScalarOp op, llvm::Value *x) {
  // Reduced in double: three parts of π/2 whose products with 2^20 quadrants are exact without FMA, too.
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  llvm::Value *wide = single ? cast(x, DType::F32, DType::F64) : x;
  llvm::Type *wideType = wide->getType();
  llvm::Value *quadrant = nullptr;
  llvm::Value *k = nearestInteger(b_.CreateFMul(wide, constant(wideType, 2 * std::numbers::inv_pi)), quadrant);
  llvm::Value *r = multiplyAdd(k, constant(wideType, -0x1.921fb544p+0), wide);
  llvm::Value *next = b_.CreateFMul(k, constant(wideType, 0x1.0b4611a6p-34));
  llvm::Value *high = b_.CreateFSub(r, next);
  // What the subtraction lost, and the third part.
  llvm::Value *lost = b_.CreateFSub(b_.CreateFSub(r, high), next);
  llvm::Value *low = multiplyAdd(k, constant(wideType, -0x1.3198a2e037073p-69), lost);
  r = b_.CreateFAdd(high, low);
  // Beyond about 2^50 quadrants nothing is left of the argument; the result is still one of a sine.
  llvm::Value *most = constant(wideType, 0.8);
  r = b_.CreateSelect(b_.CreateFCmpOGT(absolute(r), most), copySign(most, r), r);
  llvm::Value *tail = b_.CreateFAdd(b_.CreateFSub(high, r), low);
  tail = b_.CreateSelect(b_.CreateFCmpOLT(absolute(tail), constant(wideType, 0x1p-50)), tail, constant(wideType, 0));
  if (single) {
    r = b_.CreateFPTrunc(b_.CreateFAdd(r, tail), type);
    tail = constant(type, 0);
    quadrant = b_.CreateTrunc(quadrant, integerTypeOf(type));
  }
  llvm::Value *z = b_.CreateFMul(r, r);
  llvm::Value *sinTail = multiplyAdd(b_.CreateFMul(z, r), single ? polynomial(z, kSin32) : polynomial(z, kSin64), tail);
  llvm::Value *sine = b_.CreateFAdd(r, sinTail);
  // 1 - z/2 is split so that the rounding of the difference returns in the tail.
  llvm::Value *one = constant(type, 1);
  llvm::Value *half = b_.CreateFMul(z, constant(type, 0.5));
  llvm::Value *head = b_.CreateFSub(one, half);
  llvm::Value *rounding = b_.CreateFSub(b_.CreateFSub(one, head), half);
  llvm::Value *cosTail =
      multiplyAdd(b_.CreateFMul(z, z), single ? polynomial(z, kCos32) : polynomial(z, kCos64), rounding);
  cosTail = b_.CreateFSub(cosTail, b_.CreateFMul(r, tail));
  llvm::Value *cosine = b_.CreateFAdd(head, cosTail);

  llvm::Value *zero = integer(type, 0);
  auto bit = [&](llvm::Value *number, int64_t mask) {
    return b_.CreateICmpNE(b_.CreateAnd(number, integer(type, mask)), zero);
  };
  llvm::Value *isZero = b_.CreateFCmpOEQ(x, constant(type, 0));  // keeps its sign
  if (op == ScalarOp::Tan) {
    llvm::Value *odd = bit(quadrant, 1);
    llvm::Value *numerator = b_.CreateSelect(odd, b_.CreateFNeg(cosine), sine);
    llvm::Value *quotient = b_.CreateFDiv(numerator, b_.CreateSelect(odd, sine, cosine));
    return b_.CreateSelect(isZero, x, quotient);
  }
  if (op == ScalarOp::Cos) quadrant = b_.CreateAdd(quadrant, integer(type, 1));
  llvm::Value *result = b_.CreateSelect(bit(quadrant, 1), cosine, sine);
  result = b_.CreateSelect(bit(quadrant, 2), b_.CreateFNeg(result), result);
  return op == ScalarOp::Sin ? b_.CreateSelect(isZero, x, result) : result;
}

}  // namespace hone::codegen
