//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// envUpgradeFrom is a git ref: the release that is upgraded from.
const envUpgradeFrom = "E2E_UPGRADE_FROM"

// Image and kinds of an earlier commit are upgraded amid changes: kinds,
// operator and hub first, then connectors and workers. N reads what N-1 wrote.
func TestUpgradeFromEarlierCommit(t *testing.T) {
	ref := os.Getenv(envUpgradeFrom)
	if ref == "" {
		fmt.Printf("e2e: no upgrade from an earlier commit: %s names none\n", envUpgradeFrom)
		return
	}
	image, objects := earlier(t, ref)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
		defer cancel()
		if err := cluster.install(ctx, cluster.image, cluster.image); err != nil {
			t.Errorf("going back to the image before: %v", err)
		}
	})
	// What a newer hub wrote is nothing that the earlier one would ever see.
	do(t, cluster.uninstall(t.Context()))
	do(t, cluster.forget(t.Context()))
	for _, object := range objects {
		do(t, cluster.apply(t.Context(), object))
	}
	do(t, cluster.awaitInstalled(t.Context()))
	p, prober := probedPlace(t)
	before := p.workloads(t)

	environment.Test(t, features.New("upgrade from "+ref).
		Assess("of kinds, operator and hub", amid(prober, func(t *testing.T) {
			do(t, cluster.install(t.Context(), cluster.image, image))
			p.obeys(t, "till")
		})).
		Assess("of the workloads", amid(prober, func(t *testing.T) {
			do(t, cluster.install(t.Context(), cluster.image, cluster.image))
			p.rolled(t, before, cluster.image)
		})).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// earlier builds the image of a git ref, brings it to the cluster, and returns
// its name and the manifests of the ref.
func earlier(t *testing.T, ref string) (string, []*unstructured.Unstructured) {
	t.Helper()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), "../../hack/e2e/earlier.sh", ref, dir)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("building %s: %v", ref, err)
	}
	image := strings.TrimSpace(string(out))
	rendered, err := os.ReadFile(dir + "/manifests.yaml")
	do(t, err)
	objects, err := parseManifests(rendered, image, image)
	do(t, err)
	return image, objects
}
