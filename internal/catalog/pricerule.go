package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
	"github.com/cockroachdb/apd/v3"

	"selaras.dev/selaras/connectors/driver"
)

// Bounds of a rule.
const (
	// MaxRuleLength is the most characters of one expression.
	MaxRuleLength = 2048
	// ruleCost bounds what one evaluation may cost, in CEL's units. There are
	// no loops in rules; what is left to bound is matching long texts.
	ruleCost = 20_000
)

// PriceRule is a compiled price rule: price := rule, rounded to the nearest
// multiple of roundTo, and never below floor. It may be used by several
// goroutines at once.
//
// All numbers are decimal and exact; a quotient is carried to 50 digits.
// Rounding happens once, at the end, to the nearest multiple of roundTo, or of
// the minor unit of the channel's currency without one. Halves go away from
// zero, as merchants round. A price below the floor becomes the lowest such
// multiple that is not below it.
type PriceRule struct {
	rule, floor *expression
	roundTo     *apd.Decimal
}

// RuleError is a price rule that cannot be compiled.
type RuleError struct {
	// Field is rule, roundTo or floor.
	Field string
	// Line and Column say where, from 1; zero when the whole field is meant.
	Line, Column int
	// Message says what is wrong and what to write.
	Message string
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("price.%s: %s", e.Field, e.Message)
	}
	return fmt.Sprintf("price.%s: line %d, column %d: %s", e.Field, e.Line, e.Column, e.Message)
}

// ErrCurrency is wrapped by the errors of prices in a currency that the
// channel does not have.
var ErrCurrency = errors.New("the price is in another currency")

// The scope of rules: item and channel.
var ruleScope = []struct {
	name string
	typ  *cel.Type
}{
	{"item.sku", cel.StringType},
	{"item.title", cel.StringType},
	{"item.product", cel.StringType},
	{"item.price", numberType},
	{"item.currency", cel.StringType},
	{"item.ats", numberType},
	{"item.stockKnown", cel.BoolType},
	{"item.enabled", cel.BoolType},
	{"item.options", cel.MapType(cel.StringType, cel.StringType)},
	{"channel.name", cel.StringType},
	{"channel.currency", cel.StringType},
	{"channel.labels", cel.MapType(cel.StringType, cel.StringType)},
}

var ruleFunctions = map[string]bool{
	operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true, operators.Conditional: true,
	operators.Equals: true, operators.NotEquals: true, operators.In: true, operators.Index: true,
	"contains": true, "startsWith": true, "endsWith": true, "matches": true,
}

// ruleEnv is made once: building it costs more than compiling a rule.
var ruleEnv = func() *cel.Env {
	options := []cel.EnvOption{
		cel.Macros(parser.HasMacro),
		cel.ParserExpressionSizeLimit(MaxRuleLength),
		cel.ParserRecursionLimit(100),
	}
	for _, function := range stdlib.Functions() {
		if ruleFunctions[function.Name()] {
			options = append(options, cel.FunctionDecls(function))
		}
	}
	options = append(options, numberLibrary()...)
	for _, v := range ruleScope {
		options = append(options, cel.Variable(v.name, v.typ))
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		panic(fmt.Sprintf("the scope of price rules does not compile: %v", err))
	}
	return env
}()

// CompilePriceRule compiles a price rule as written in YAML. rule is a CEL
// expression over item {sku, title, product, price, currency, ats, stockKnown,
// enabled, options} and channel {name, currency, labels} whose value is the
// price in the channel's currency; empty means item.price. roundTo is a
// positive decimal, floor a decimal or an expression like rule; both may be
// empty. Without any of the three it returns nil. Errors are *RuleError.
func CompilePriceRule(rule, roundTo, floor string) (*PriceRule, error) {
	rule, roundTo, floor = strings.TrimRight(rule, " \t\r\n"), strings.TrimSpace(roundTo), strings.TrimRight(floor, " \t\r\n")
	if rule == "" && roundTo == "" && floor == "" {
		return nil, nil
	}
	compiled := new(PriceRule)
	var err error
	if rule != "" {
		if compiled.rule, err = compileExpression("rule", rule); err != nil {
			return nil, err
		}
	}
	if roundTo != "" {
		step, err := decimalText(roundTo)
		if err != nil {
			return nil, &RuleError{Field: "roundTo", Message: err.Error()}
		}
		if step.Sign() <= 0 {
			return nil, &RuleError{Field: "roundTo", Message: fmt.Sprintf("%s is not above zero; write the step of prices, such as \"0.05\"", roundTo)}
		}
		compiled.roundTo = step
	}
	if floor != "" {
		if compiled.floor, err = compileExpression("floor", floor); err != nil {
			return nil, err
		}
	}
	return compiled, nil
}

// expression is one compiled expression whose value is a number.
type expression struct {
	program  cel.Program
	literals []*number
	// readsPrice and readsCurrency say whether the expression looks at the
	// item's price, and at its currency, so that it is able to convert it.
	readsPrice, readsCurrency bool
}

func compileExpression(field, text string) (*expression, error) {
	parsed, issues := ruleEnv.Parse(text)
	if issues.Err() != nil {
		return nil, ruleError(field, issues)
	}
	e := new(expression)
	options, err := e.takeLiterals(field, parsed.NativeRep())
	if err != nil {
		return nil, err
	}
	env, err := ruleEnv.Extend(options...)
	if err != nil {
		return nil, &RuleError{Field: field, Message: err.Error()}
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, ruleError(field, issues)
	}
	if !checked.OutputType().IsExactType(numberType) {
		return nil, &RuleError{Field: field, Line: 1, Column: 1, Message: fmt.Sprintf(
			"the value is a %s; write an expression whose value is a number, such as item.price * 1.05", cel.FormatCELType(checked.OutputType()))}
	}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		e.readsPrice = e.readsPrice || reference.Name == "item.price"
		e.readsCurrency = e.readsCurrency || reference.Name == "item.currency"
	}
	e.program, err = env.Program(checked, cel.CostLimit(ruleCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &RuleError{Field: field, Message: err.Error()}
	}
	return e, nil
}

const literalPrefix = "@number"

// takeLiterals replaces the numeric literals of a parsed expression by
// variables whose values are decimal numbers.
func (e *expression) takeLiterals(field string, parsed *ast.AST) ([]cel.EnvOption, error) {
	var (
		options []cel.EnvOption
		failure error
	)
	factory := ast.NewExprFactory()
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(node ast.Expr) {
		if node.Kind() != ast.LiteralKind || failure != nil {
			return
		}
		var text string
		switch literal := node.AsLiteral().(type) {
		case types.Int:
			text = strconv.FormatInt(int64(literal), 10)
		case types.Uint:
			text = strconv.FormatUint(uint64(literal), 10)
		case types.Double:
			// The shortest text that gives this double is the literal itself,
			// up to 15 digits.
			text = strconv.FormatFloat(float64(literal), 'f', -1, 64)
			if len(strings.Trim(strings.Replace(text, ".", "", 1), "-0")) > 15 {
				at := parsed.SourceInfo().GetStartLocation(node.ID())
				failure = &RuleError{Field: field, Line: at.Line(), Column: at.Column() + 1, Message: "the number has more than 15 digits; write fewer"}
				return
			}
		default:
			return
		}
		n, err := parseNumber(text)
		if err != nil {
			at := parsed.SourceInfo().GetStartLocation(node.ID())
			failure = &RuleError{Field: field, Line: at.Line(), Column: at.Column() + 1, Message: err.Error()}
			return
		}
		name := literalPrefix + strconv.Itoa(len(e.literals))
		e.literals = append(e.literals, n)
		options = append(options, cel.Variable(name, numberType))
		node.SetKindCase(factory.NewIdent(node.ID(), name))
	}))
	return options, failure
}

func ruleError(field string, issues *cel.Issues) error {
	first := issues.Errors()[0]
	message := first.Message
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		var has []string
		for _, v := range ruleScope {
			if strings.HasPrefix(v.name, name+".") {
				has = append(has, v.name)
			}
		}
		if has == nil {
			message = fmt.Sprintf("%s is not known; write an expression over item and channel, such as item.price * 1.05", name)
		} else {
			message = fmt.Sprintf("%s has no such field; it has %s", name, strings.Join(has, ", "))
		}
	}
	return &RuleError{Field: field, Line: first.Location.Line(), Column: first.Location.Column() + 1, Message: message}
}

// activation gives a rule its values.
type activation struct {
	item     *Item
	channel  *ChannelScope
	literals []*number
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if index, ok := strings.CutPrefix(name, literalPrefix); ok {
		i, err := strconv.Atoi(index)
		if err != nil || i >= len(a.literals) {
			return nil, false
		}
		return a.literals[i], true
	}
	content := a.item.Content
	if content == nil {
		content = new(driver.Content)
	}
	switch name {
	case "item.sku":
		return a.item.SKU, true
	case "item.title":
		return content.Title, true
	case "item.product":
		return content.Product.Key, true
	case "item.enabled":
		return content.Enabled, true
	case "item.options":
		options := make(map[string]string, len(content.Options))
		for _, option := range content.Options {
			options[option.Name] = option.Value
		}
		return options, true
	case "item.price":
		digits, _ := driver.Digits(a.item.Price.Currency)
		n := new(number)
		n.d.SetFinite(a.item.Price.Minor, int32(-digits))
		return n, true
	case "item.currency":
		return a.item.Price.Currency, true
	case "item.ats":
		if a.item.ATS == nil {
			return types.NewErr("item.ats is not known; ask item.stockKnown first"), true
		}
		return numberOf(*a.item.ATS), true
	case "item.stockKnown":
		return a.item.ATS != nil, true
	case "channel.name":
		return a.channel.Name, true
	case "channel.currency":
		return a.channel.Currency, true
	case "channel.labels":
		labels := a.channel.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		return labels, true
	}
	return nil, false
}

func (e *expression) evaluate(item *Item, channel *ChannelScope) (*apd.Decimal, error) {
	value, _, err := e.program.Eval(&activation{item: item, channel: channel, literals: e.literals})
	if err != nil {
		return nil, err
	}
	n, ok := value.(*number)
	if !ok {
		return nil, fmt.Errorf("the value is a %s, not a number", value.Type().TypeName())
	}
	return &n.d, nil
}
