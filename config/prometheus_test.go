package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// Series are believed about other namespaces only when they come from the
// operator: a workload's namespace is the one its pod runs in.
func TestNoWorkloadSpeaksOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	type relabeling struct{ Action, Regex string }
	type monitor struct {
		Spec struct {
			NamespaceSelector struct{ Any bool }
			Selector          struct {
				MatchLabels      map[string]string
				MatchExpressions []struct {
					Key, Operator string
					Values        []string
				}
			}
			PodMetricsEndpoints []struct {
				HonorLabels       bool
				Relabelings       []relabeling
				MetricRelabelings []relabeling
			}
		}
	}
	read := func(name string) (m monitor) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Spec.PodMetricsEndpoints) != 1 {
			t.Fatalf("%s has %d endpoints, want one", name, len(m.Spec.PodMetricsEndpoints))
		}
		return m
	}

	operator := read("operator.yaml")
	if operator.Spec.NamespaceSelector.Any || operator.Spec.Selector.MatchLabels["app.kubernetes.io/component"] != "operator" {
		t.Errorf("labels are honoured of pods that %+v select in any namespace: %v, want those of the operator's own alone",
			operator.Spec.Selector, operator.Spec.NamespaceSelector.Any)
	}
	workloads := read("workloads.yaml").Spec.PodMetricsEndpoints[0]
	if workloads.HonorLabels {
		t.Error("a workload's own label namespace is believed")
	}
	if len(workloads.Relabelings) > 0 {
		t.Errorf("the target's labels are changed: %+v", workloads.Relabelings)
	}
	if len(workloads.MetricRelabelings) != 1 || workloads.MetricRelabelings[0] != (relabeling{"labeldrop", "exported_namespace"}) {
		t.Errorf("series are relabelled by %+v; what the pod called its namespace makes a second series of each", workloads.MetricRelabelings)
	}
}
