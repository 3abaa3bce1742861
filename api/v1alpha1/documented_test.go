package v1alpha1_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors"
	"selaras.dev/selaras/internal/validation"
	"selaras.dev/selaras/internal/workload"
)

// What people are shown to copy works: every whole manifest of the samples and
// of the pages for users is taken by the API server, and the validator finds
// nothing.
func TestWhatIsShownToUsersIsRight(t *testing.T) {
	t.Parallel()
	validator := validation.New(connectors.Drivers())
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	channelTypes, err := filepath.Glob("../../docs/channels/*.md")
	if err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("config/samples holds %d files: %v", len(samples), err)
	}
	tried := 0
	for _, file := range append(append(append(pages, channelTypes...), samples...), "../../README.md") {
		for _, o := range manifestsIn(t, file) {
			tried++
			t.Run(filepath.Base(file)+"/"+o.GetName(), func(t *testing.T) {
				t.Parallel()
				o.SetNamespace("default")
				if err := apiClient.Create(t.Context(), o, strict, client.DryRunAll); err != nil {
					t.Fatalf("the API server refuses it: %v", err)
				}
				var problems []validation.Problem
				if o.GetKind() == "Channel" {
					problems = validator.Channel(as(t, o, &selarasv1alpha1.Channel{}))
				} else {
					problems = validator.CatalogSync(as(t, o, &selarasv1alpha1.CatalogSync{}))
				}
				if len(problems) > 0 {
					t.Errorf("the validator finds %v", problems)
				}
			})
		}
	}
	if tried < 5 {
		t.Errorf("found %d manifests in samples and pages, want at least 5", tried)
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// manifestsIn returns the Channels and CatalogSyncs of a YAML file, or of the
// YAML blocks of a page. Blocks that show a part of a manifest are left out.
func manifestsIn(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := []string{string(text)}
	if filepath.Ext(file) == ".md" {
		blocks = nil
		for _, match := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			blocks = append(blocks, match[1])
		}
	}
	var found []*unstructured.Unstructured
	for _, block := range blocks {
		for document := range strings.SplitSeq(block, "\n---\n") {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
				t.Errorf("%s: %v in\n%s", file, err, document)
				continue
			}
			if o.GetAPIVersion() == selarasv1alpha1.GroupVersion.String() && o.GetName() != "" {
				found = append(found, o)
			}
		}
	}
	return found
}

// Connectors report their credentials' state in the words of the condition.
func TestReportedCredentialStatesAreDocumentedReasons(t *testing.T) {
	t.Parallel()
	for state, reason := range map[workload.CredentialState]string{
		workload.CredentialsValid:        selarasv1alpha1.ReasonCredentialsAccepted,
		workload.CredentialsMissing:      selarasv1alpha1.ReasonSecretMissing,
		workload.CredentialsKeyMissing:   selarasv1alpha1.ReasonKeyMissing,
		workload.CredentialsUnauthorized: selarasv1alpha1.ReasonUnauthorized,
	} {
		if string(state) != reason {
			t.Errorf("connectors report %s, the documented reason is %s", state, reason)
		}
	}
}
