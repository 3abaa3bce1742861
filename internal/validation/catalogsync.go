package validation

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/catalog"
)

// CatalogSync returns what is wrong with a CatalogSync, in the order of its
// fields. What takes other resources to know (whether a Channel exists, what
// it can do, who else writes there) is the controller's to find.
func (v *Validator) CatalogSync(sync *selarasv1alpha1.CatalogSync) []Problem {
	spec := field.NewPath("spec")
	channels := spec.Child("channels")
	problems := selectorProblems(channels.Child("selector"), sync.Spec.Channels.Selector)
	for i := range sync.Spec.Channels.Overrides {
		problems = append(problems, priceProblems(channels.Child("overrides").Index(i).Child("price"), sync.Spec.Channels.Overrides[i].Price)...)
	}
	return append(problems, priceProblems(spec.Child("price"), sync.Spec.Price)...)
}

func selectorProblems(path *field.Path, selector *metav1.LabelSelector) []Problem {
	if selector == nil {
		return nil
	}
	var problems []Problem
	for _, e := range metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path) {
		problems = append(problems, Problem{Reason: selarasv1alpha1.ReasonInvalidSelector, Path: e.Field, Message: e.ErrorBody()})
	}
	return problems
}

// priceProblems compiles the fields of a price one by one, so that each tells
// its own fault.
func priceProblems(path *field.Path, price *selarasv1alpha1.Price) []Problem {
	if price == nil {
		return nil
	}
	var problems []Problem
	for _, one := range [][3]string{{price.Rule, "", ""}, {"", string(price.RoundTo), ""}, {"", "", price.Floor}} {
		_, err := catalog.CompilePriceRule(one[0], one[1], one[2])
		if err == nil {
			continue
		}
		problem := Problem{Reason: selarasv1alpha1.ReasonInvalidPriceRule, Path: path.String(), Message: err.Error()}
		var at *catalog.RuleError
		if errors.As(err, &at) {
			problem.Path = path.Child(at.Field).String()
			problem.Line, problem.Column, problem.Message = at.Line, at.Column, at.Message
		}
		problems = append(problems, problem)
	}
	return problems
}
