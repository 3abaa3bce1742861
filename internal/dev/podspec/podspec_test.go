package podspec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"selaras.dev/selaras/internal/dev/atomicdir"
	"selaras.dev/selaras/internal/dev/podspec"
)

func objects() podspec.Objects {
	return podspec.Objects{
		ConfigMap: func(name string) (*corev1.ConfigMap, error) {
			if name != "settings" {
				return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
			}
			return &corev1.ConfigMap{Data: map[string]string{"COLOUR": "red", "SIZE": "9"}}, nil
		},
		Secret: func(name string) (*corev1.Secret, error) {
			if name != "login" {
				return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
			}
			return &corev1.Secret{Data: map[string][]byte{"password": []byte("p:8080")}}, nil
		},
	}
}

func pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u", Labels: map[string]string{"app": "x"}},
		Status:     corev1.PodStatus{PodIP: "127.9.128.1"},
	}
}

func optional() *bool { yes := true; return &yes }

// $(NAME) is replaced as the API documents it: unknown names stay, $$ escapes.
func TestExpansionFollowsTheAPI(t *testing.T) {
	t.Parallel()
	lookup := podspec.Lookup([]podspec.Variable{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)"}})
	for text, want := range map[string]string{
		"$(A)":     "1",
		"x$(A)y":   "x1y",
		"$(B)":     "$(A)",
		"$(C)":     "$(C)",
		"$$(A)":    "$(A)",
		"$A":       "$A",
		"$":        "$",
		"$(A":      "$(A",
		"$$":       "$",
		"$(A)$(A)": "11",
	} {
		if got := podspec.Expand(text, lookup); got != want {
			t.Errorf("Expand(%q) = %q, want %q", text, got, want)
		}
	}
}

// The environment has envFrom before env, later names win, optional objects may
// be absent, and values of Secrets are marked.
func TestEnvironmentIsMadeAsByAKubelet(t *testing.T) {
	t.Parallel()
	container := &corev1.Container{
		Name:      "c",
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("64Mi")}},
		EnvFrom: []corev1.EnvFromSource{
			{Prefix: "S_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}, Optional: optional()}},
		},
		Env: []corev1.EnvVar{
			{Name: "S_SIZE", Value: "10"},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "APP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['app']"}}},
			{Name: "ADDRESS", Value: "$(IP):$(S_SIZE)"},
			{Name: "MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory", Divisor: resource.MustParse("1Mi")}}},
			{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: "password"}}},
			{Name: "NONE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: "absent", Optional: optional()}}},
		},
	}
	got, err := podspec.Environment(pod(), container, []podspec.Variable{{Name: "HOME", Value: "/h"}}, nil, objects())
	if err != nil {
		t.Fatal(err)
	}
	want := []podspec.Variable{
		{Name: "HOME", Value: "/h"},
		{Name: "S_COLOUR", Value: "red"},
		{Name: "S_SIZE", Value: "10"},
		{Name: "IP", Value: "127.9.128.1"},
		{Name: "APP", Value: "x"},
		{Name: "ADDRESS", Value: "127.9.128.1:10"},
		{Name: "MEMORY", Value: "64"},
		{Name: "PASSWORD", Value: "p:8080", Secret: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the environment differs (-want +got):\n%s", diff)
	}
}

// A required object or key that is missing is named in the error.
func TestMissingReferencesAreErrors(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]corev1.EnvVarSource{
		"object": {SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}, Key: "k"}},
		"key":    {ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "k"}},
		"field":  {FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.colour"}},
	} {
		container := &corev1.Container{Env: []corev1.EnvVar{{Name: "X", ValueFrom: &env}}}
		if _, err := podspec.Environment(pod(), container, nil, nil, objects()); err == nil {
			t.Errorf("a missing %s was accepted", name)
		}
	}
}

// Volumes show the items under their paths with their modes; an optional Secret
// that does not exist gives an empty volume, a required one an error.
func TestVolumesShowWhatTheyProject(t *testing.T) {
	t.Parallel()
	own := int32(0o400)
	projected := &corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Items: []corev1.KeyToPath{{Key: "password", Path: "shop/password", Mode: &own}}}},
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}},
	}}}}
	got, err := podspec.Files(t.Context(), pod(), projected, nil, objects())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]atomicdir.File{
		"shop/password": {Data: []byte("p:8080"), Mode: 0o400},
		"COLOUR":        {Data: []byte("red"), Mode: 0o644},
		"SIZE":          {Data: []byte("9"), Mode: 0o644},
		"name":          {Data: []byte("p"), Mode: 0o644},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the projected volume differs (-want +got):\n%s", diff)
	}

	absent := &corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "absent", Optional: optional()}}}
	if files, err := podspec.Files(t.Context(), pod(), absent, nil, objects()); err != nil || len(files) != 0 {
		t.Errorf("an optional absent Secret gave %v, %v", files, err)
	}
	absent.Secret.Optional = nil
	if _, err := podspec.Files(t.Context(), pod(), absent, nil, objects()); !apierrors.IsNotFound(err) {
		t.Errorf("a required absent Secret gave %v", err)
	}
}

// Paths, service names and listen addresses are rewritten where they stand
// whole, and only there.
func TestTranslatorRewritesWhatALocalProcessCannotHave(t *testing.T) {
	t.Parallel()
	container := &corev1.Container{Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}
	translator := podspec.NewTranslator(container, "127.9.128.1",
		map[string]string{"/etc/selaras": "/v/config", "/etc/selaras/creds": "/v/creds", "/tmp/": "/v/tmp"},
		func(host string) (string, bool) {
			if host == "hub.selaras-system.svc" || host == "hub-0.hub.selaras-system.svc" {
				return "127.9.0.7", true
			}
			return "", false
		})
	for text, want := range map[string]string{
		"/etc/selaras":                                          "/v/config",
		"--file=/etc/selaras/a.json":                            "--file=/v/config/a.json",
		"--creds=/etc/selaras/creds/x":                          "--creds=/v/creds/x",
		"/etc/selaras-more":                                     "/etc/selaras-more",
		"/opt/etc/selaras":                                      "/opt/etc/selaras",
		"/tmp/x:/etc/selaras/y":                                 "/v/tmp/x:/v/config/y",
		"file:///etc/selaras/ca.crt":                            "file:///v/config/ca.crt",
		"http://shop/etc/selaras":                               "http://shop/etc/selaras",
		"nats://hub.selaras-system.svc:4222":                    "nats://127.9.0.7:4222",
		"nats://hub.selaras-system.svc.cluster.local:4222":      "nats://127.9.0.7:4222",
		"nats://hub-0.hub.selaras-system.svc.cluster.local:1,x": "nats://127.9.0.7:1,x",
		"other.ns.svc":                                          "other.ns.svc",
		":8080":                                                 "127.9.128.1:8080",
		"--listen=:8080":                                        "--listen=127.9.128.1:8080",
		"--listen=0.0.0.0:8080":                                 "--listen=127.9.128.1:8080",
		"--listen=[::]:8080":                                    "--listen=127.9.128.1:8080",
		"http://0.0.0.0:8080/x":                                 "http://127.9.128.1:8080/x",
		"--listen=:9090":                                        "--listen=:9090",
		"--listen=127.0.0.1:8080":                               "--listen=127.0.0.1:8080",
		"http://example.com:8080":                               "http://example.com:8080",
	} {
		if got := translator.Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
}
