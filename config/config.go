// Package config carries the manifests of this directory in the binary, so that
// `selaras dev` applies exactly what a cluster is given.
package config

import (
	"embed"
	"fmt"
	"io/fs"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

//go:embed crd rbac manager hub network-policy default samples
var manifests embed.FS

// Default renders config/default: everything that a cluster needs, as
// `kubectl kustomize config/default` prints it.
func Default() ([]byte, error) { return render("default") }

// CRDs renders config/crd: the kinds alone.
func CRDs() ([]byte, error) { return render("crd") }

// Samples renders config/samples: three Channels and their CatalogSync, with
// addresses and passwords that are to be replaced.
func Samples() ([]byte, error) { return render("samples") }

// render builds one of the kustomizations in memory.
func render(name string) ([]byte, error) {
	files := filesys.MakeFsInMemory()
	err := fs.WalkDir(manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := manifests.ReadFile(path)
		if err != nil {
			return err
		}
		return files.WriteFile("/"+path, data)
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded manifests: %w", err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+name)
	if err != nil {
		return nil, fmt.Errorf("render config/%s: %w", name, err)
	}
	out, err := built.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render config/%s: %w", name, err)
	}
	return out, nil
}
