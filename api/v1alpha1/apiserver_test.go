package v1alpha1_test

import (
	"fmt"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// api is a real API server with the generated CRDs, one for all tests of the
// package.
var (
	api       *rest.Config
	apiClient client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: run `make test`, or set it to what hack/controlplane/install.sh --print-dir prints")
		return 1
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(selarasv1alpha1.AddToScheme(scheme))

	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
	}
	var err error
	if api, err = environment.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "starting an API server with the CRDs of config/crd/bases: %v\n", err)
		return 1
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping the API server: %v\n", err)
		}
	}()
	if apiClient, err = client.New(api, client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintf(os.Stderr, "making a client: %v\n", err)
		return 1
	}
	return m.Run()
}
