package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors"
	"selaras.dev/selaras/internal/validation"
)

// manifestCase is one entry of testdata/*_refused.yaml and *_stalled.yaml.
type manifestCase struct {
	Case string         `json:"case"`
	Name string         `json:"name"`
	Spec map[string]any `json:"spec"`
	// Then is the spec that the first is changed to.
	Then    map[string]any `json:"then"`
	Refused string         `json:"refused"`
	Stalled struct {
		Reason string `json:"reason"`
		Path   string `json:"path"`
		Says   string `json:"says"`
	} `json:"stalled"`
}

func readCases(t *testing.T, file string) []manifestCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var cases []manifestCase
	if err := yaml.UnmarshalStrict(text, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", file)
	}
	return cases
}

// object is the manifest of a case, bearing the case's own name or a new one.
func (c manifestCase) object(kind string, number int) *unstructured.Unstructured {
	name := c.Name
	if name == "" {
		name = "case-" + strconv.Itoa(number)
	}
	o := &unstructured.Unstructured{Object: map[string]any{"spec": c.Spec}}
	o.SetGroupVersionKind(selarasv1alpha1.GroupVersion.WithKind(kind))
	o.SetNamespace("default")
	o.SetName(name)
	return o
}

// strict is how kubectl sends manifests: unknown fields are errors.
const strict = client.FieldValidation("Strict")

// A refused manifest is answered with what to write instead.
func TestWhatTheAPIServerRefuses(t *testing.T) {
	t.Parallel()
	for kind, file := range map[string]string{"Channel": "channel_refused.yaml", "CatalogSync": "catalogsync_refused.yaml"} {
		for i, c := range readCases(t, file) {
			t.Run(kind+"/"+c.Case, func(t *testing.T) {
				t.Parallel()
				o := c.object(kind, i)
				err := apiClient.Create(t.Context(), o, strict)
				if c.Then != nil {
					if err != nil {
						t.Fatalf("the first spec is refused: %v", err)
					}
					o.Object["spec"] = c.Then
					err = apiClient.Update(t.Context(), o, strict)
				}
				if err == nil {
					t.Fatalf("the API server takes it, and should say %q", c.Refused)
				}
				if !strings.Contains(err.Error(), c.Refused) {
					t.Errorf("refused with\n\t%v\nwhich does not say\n\t%s", err, c.Refused)
				}
			})
		}
	}
}

// What the API server cannot see is taken by it, and found by the validator
// with reason and field path.
func TestWhatStallsWithReasonAndPath(t *testing.T) {
	t.Parallel()
	validator := validation.New(connectors.Drivers())
	check := map[string]func(*testing.T, *unstructured.Unstructured) []validation.Problem{
		"Channel": func(t *testing.T, o *unstructured.Unstructured) []validation.Problem {
			return validator.Channel(as(t, o, &selarasv1alpha1.Channel{}))
		},
		"CatalogSync": func(t *testing.T, o *unstructured.Unstructured) []validation.Problem {
			return validator.CatalogSync(as(t, o, &selarasv1alpha1.CatalogSync{}))
		},
	}
	for kind, file := range map[string]string{"Channel": "channel_stalled.yaml", "CatalogSync": "catalogsync_stalled.yaml"} {
		for i, c := range readCases(t, file) {
			t.Run(kind+"/"+c.Case, func(t *testing.T) {
				t.Parallel()
				o := c.object(kind, 1000+i)
				if err := apiClient.Create(t.Context(), o, strict); err != nil {
					t.Fatalf("the API server refuses it already: %v", err)
				}
				problems := check[kind](t, o)
				if len(problems) != 1 {
					t.Fatalf("found %d problems, want 1: %v", len(problems), problems)
				}
				reason, message := validation.Verdict(problems)
				if reason != c.Stalled.Reason || !strings.HasPrefix(message, c.Stalled.Path+": ") || !strings.Contains(message, c.Stalled.Says) {
					t.Errorf("Stalled with\n\t%s, %s\nwant\n\t%s, %s: … %s", reason, message, c.Stalled.Reason, c.Stalled.Path, c.Stalled.Says)
				}
			})
		}
	}
}

// What is right is stored as it was written, and writing it again changes
// nothing, by server-side apply and by update: a GitOps pipeline sees no
// difference that it did not make.
func TestValidManifestsRoundTripUnchanged(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/valid/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata/valid holds %d manifests (%v), want at least 10", len(files), err)
	}
	validator := validation.New(connectors.Drivers())
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			written := readManifest(t, file)

			stored := apply(t, written)
			if diff := cmp.Diff(written.Object["spec"], stored.Object["spec"]); diff != "" {
				t.Errorf("stored otherwise than written (-written +stored):\n%s", diff)
			}
			again := apply(t, written)
			sameVersion(t, "applying it again", stored, again)

			replaced := again.DeepCopy()
			replaced.Object["spec"] = written.DeepCopy().Object["spec"]
			if err := apiClient.Update(t.Context(), replaced, strict); err != nil {
				t.Fatalf("updating: %v", err)
			}
			sameVersion(t, "updating it with the same", stored, replaced)

			var problems []validation.Problem
			switch stored.GetKind() {
			case "Channel":
				problems = validator.Channel(as(t, stored, &selarasv1alpha1.Channel{}))
			case "CatalogSync":
				problems = validator.CatalogSync(as(t, stored, &selarasv1alpha1.CatalogSync{}))
			}
			if len(problems) > 0 {
				t.Errorf("the validator finds %v", problems)
			}
		})
	}
}

// The operator patches metadata and status through its Go types: that must
// not write the spec in another form.
func TestPatchThroughTypesLeavesTheSpecAlone(t *testing.T) {
	t.Parallel()
	written := readManifest(t, "testdata/valid/channel_everything.yaml")
	written.SetName("patched")
	before := apply(t, written)

	channel := as(t, before, &selarasv1alpha1.Channel{})
	base := channel.DeepCopy()
	channel.Finalizers = []string{"example.com/kept"}
	if err := apiClient.Patch(t.Context(), channel, client.MergeFrom(base)); err != nil {
		t.Fatalf("patching a finalizer: %v", err)
	}
	base = channel.DeepCopy()
	channel.Finalizers = nil
	if err := apiClient.Patch(t.Context(), channel, client.MergeFrom(base)); err != nil {
		t.Fatalf("patching the finalizer away: %v", err)
	}

	after := before.DeepCopy()
	if err := apiClient.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Object["spec"], after.Object["spec"]); diff != "" {
		t.Errorf("the spec changed (-before +after):\n%s", diff)
	}
	if before.GetGeneration() != after.GetGeneration() {
		t.Errorf("generation went from %d to %d", before.GetGeneration(), after.GetGeneration())
	}
}

func readManifest(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	jsonText, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(jsonText); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return o
}

// apply is `kubectl apply --server-side` and returns what is stored.
func apply(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	stored := o.DeepCopy()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	patch := client.RawPatch("application/apply-patch+yaml", text)
	if err := apiClient.Patch(t.Context(), stored, patch, client.FieldOwner("kubectl"), strict); err != nil {
		t.Fatalf("applying: %v", err)
	}
	return stored
}

func sameVersion(t *testing.T, what string, before, after *unstructured.Unstructured) {
	t.Helper()
	if before.GetResourceVersion() != after.GetResourceVersion() || before.GetGeneration() != after.GetGeneration() {
		t.Errorf("%s went from resourceVersion %s, generation %d to %s, %d", what,
			before.GetResourceVersion(), before.GetGeneration(), after.GetResourceVersion(), after.GetGeneration())
	}
}

// as reads the object into its Go type, refusing fields that the type lacks.
func as[T any](t *testing.T, o *unstructured.Unstructured, into *T) *T {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, into, true); err != nil {
		t.Fatalf("the Go type does not fit what is stored: %v", err)
	}
	return into
}
