package validation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Problem is one thing wrong with a spec that only a new spec mends.
type Problem struct {
	// Reason is one of the documented reasons of the condition Stalled.
	Reason string
	// Path is the field's path, such as spec.price.rule.
	Path string
	// Line and Column say where in an expression, from 1; zero when the whole
	// field is meant.
	Line, Column int
	// Message says what is wrong and what to write.
	Message string
}

// String returns "path: line 1, column 5: message".
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.Path, p.Message)
	}
	return fmt.Sprintf("%s: line %d, column %d: %s", p.Path, p.Line, p.Column, p.Message)
}

// Verdict puts problems into a condition: the reason of the first and the text
// of all. Without problems both are empty.
func Verdict(problems []Problem) (reason, message string) {
	if len(problems) == 0 {
		return "", ""
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return problems[0].Reason, strings.Join(texts, "; ")
}

func problemAt(path *field.Path, reason, format string, args ...any) Problem {
	return Problem{Reason: reason, Path: path.String(), Message: fmt.Sprintf(format, args...)}
}

// inOrder sorts what was found by walking maps: the same spec must give the
// same message, or a status would change while nothing happens.
func inOrder(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	return problems
}
