package catalog

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"
)

// numberType is the only numeric type of rules: a decimal number. Rules must
// never be off by a cent, so there is no floating point in them; the literals
// of a rule become numbers before it is checked.
var numberType = cel.OpaqueType("number")

// Sums, differences and products are exact up to exactDigits digits and an
// error beyond; quotients are carried to quotientDigits digits.
const (
	exactDigits    = 100
	quotientDigits = 50
	maxExponent    = 100
)

var (
	exact = &apd.Context{
		Precision: exactDigits, MaxExponent: maxExponent, MinExponent: -maxExponent, Rounding: apd.RoundHalfUp,
		Traps: apd.DefaultTraps | apd.Inexact,
	}
	quotient = &apd.Context{
		Precision: quotientDigits, MaxExponent: maxExponent, MinExponent: -maxExponent, Rounding: apd.RoundHalfEven,
		Traps: apd.DefaultTraps,
	}
)

// number is a decimal number as a CEL value. It is never changed.
type number struct{ d apd.Decimal }

func numberOf(units int64) *number {
	n := new(number)
	n.d.SetInt64(units)
	return n
}

func parseNumber(text string) (*number, error) {
	n := new(number)
	if _, _, err := exact.SetString(&n.d, text); err != nil {
		return nil, fmt.Errorf("%q is not a decimal number: %w", text, err)
	}
	if n.d.Form != apd.Finite {
		return nil, fmt.Errorf("%q is not a decimal number", text)
	}
	return n, nil
}

// Type implements ref.Val.
func (n *number) Type() ref.Type { return numberType }

// Value implements ref.Val.
func (n *number) Value() any { return &n.d }

// Equal implements ref.Val.
func (n *number) Equal(other ref.Val) ref.Val {
	m, ok := other.(*number)
	return types.Bool(ok && n.d.Cmp(&m.d) == 0)
}

// ConvertToType implements ref.Val.
func (n *number) ConvertToType(to ref.Type) ref.Val {
	if to == types.StringType {
		return types.String(n.d.Text('f'))
	}
	return types.NewErr("a number cannot become %s", to.TypeName())
}

// ConvertToNative implements ref.Val.
func (n *number) ConvertToNative(to reflect.Type) (any, error) {
	if to == reflect.TypeFor[*apd.Decimal]() {
		return new(apd.Decimal).Set(&n.d), nil
	}
	return nil, fmt.Errorf("a number cannot become %v", to)
}

func arithmetic(op func(result, a, b *apd.Decimal) (apd.Condition, error)) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		x, ok := a.(*number)
		y, ok2 := b.(*number)
		if !ok || !ok2 {
			return types.MaybeNoSuchOverloadErr(b)
		}
		result := new(number)
		condition, err := op(&result.d, &x.d, &y.d)
		switch {
		case condition.DivisionByZero() || condition.DivisionUndefined():
			return types.NewErr("division by zero")
		case err != nil:
			return types.WrapErr(fmt.Errorf("the number has more than %d digits: %w", exactDigits, err))
		}
		return result
	}
}

func comparison(holds func(order int) bool) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		x, ok := a.(*number)
		y, ok2 := b.(*number)
		if !ok || !ok2 {
			return types.MaybeNoSuchOverloadErr(b)
		}
		return types.Bool(holds(x.d.Cmp(&y.d)))
	}
}

// rounding returns a function of one number that rounds to a whole number.
func rounding(mode apd.Rounder) func(ref.Val) ref.Val {
	context := *exact
	context.Rounding, context.Traps = mode, apd.DefaultTraps
	return func(v ref.Val) ref.Val {
		x, ok := v.(*number)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		result := new(number)
		if _, err := context.Quantize(&result.d, &x.d, 0); err != nil {
			return types.WrapErr(err)
		}
		return result
	}
}

// numberLibrary declares the arithmetic of numbers.
func numberLibrary() []cel.EnvOption {
	binary := func(name, overload string, result *cel.Type, f func(a, b ref.Val) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.Overload(overload, []*cel.Type{numberType, numberType}, result, cel.BinaryBinding(f)))
	}
	unary := func(name, overload string, f func(ref.Val) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.Overload(overload, []*cel.Type{numberType}, numberType, cel.UnaryBinding(f)))
	}
	pick := func(sign int) func(a, b ref.Val) ref.Val {
		return func(a, b ref.Val) ref.Val {
			x, ok := a.(*number)
			y, ok2 := b.(*number)
			if !ok || !ok2 {
				return types.MaybeNoSuchOverloadErr(b)
			}
			if x.d.Cmp(&y.d)*sign >= 0 {
				return x
			}
			return y
		}
	}
	return []cel.EnvOption{
		binary(operators.Add, "add_number", numberType, arithmetic(exact.Add)),
		binary(operators.Subtract, "subtract_number", numberType, arithmetic(exact.Sub)),
		binary(operators.Multiply, "multiply_number", numberType, arithmetic(exact.Mul)),
		binary(operators.Divide, "divide_number", numberType, arithmetic(quotient.Quo)),
		unary(operators.Negate, "negate_number", func(v ref.Val) ref.Val {
			x, ok := v.(*number)
			if !ok {
				return types.MaybeNoSuchOverloadErr(v)
			}
			result := new(number)
			result.d.Neg(&x.d)
			return result
		}),
		binary(operators.Less, "less_number", cel.BoolType, comparison(func(c int) bool { return c < 0 })),
		binary(operators.LessEquals, "less_equals_number", cel.BoolType, comparison(func(c int) bool { return c <= 0 })),
		binary(operators.Greater, "greater_number", cel.BoolType, comparison(func(c int) bool { return c > 0 })),
		binary(operators.GreaterEquals, "greater_equals_number", cel.BoolType, comparison(func(c int) bool { return c >= 0 })),
		binary("min", "min_number", numberType, pick(-1)),
		binary("max", "max_number", numberType, pick(1)),
		unary("floor", "floor_number", rounding(apd.RoundFloor)),
		unary("ceil", "ceil_number", rounding(apd.RoundCeiling)),
		unary("round", "round_number", rounding(apd.RoundHalfUp)),
	}
}

// decimalText checks that a text is a plain decimal number such as "0.05".
func decimalText(text string) (*apd.Decimal, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 40 || strings.Trim(text, "+-.0123456789") != "" {
		return nil, errors.New(`write a decimal number such as "500" or "0.05"`)
	}
	n, err := parseNumber(text)
	if err != nil {
		return nil, errors.New(`write a decimal number such as "500" or "0.05"`)
	}
	return &n.d, nil
}
