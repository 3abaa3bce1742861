package connector

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/workload"
)

// maxCredential bounds one key of a Secret.
const maxCredential = 64 << 10

// credentials are the values of the mounted Secret by key.
type credentials map[string]string

// readCredentials reads the keys that the driver knows from the mounted
// directory, which Kubernetes swaps whole. The state says what is missing.
func readCredentials(dir string, keys []driver.CredentialKey) (credentials, workload.CredentialState, string) {
	if len(keys) == 0 {
		return nil, workload.CredentialsUnknown, ""
	}
	if dir == "" {
		return nil, workload.CredentialsMissing, "no credentials are mounted; set spec.credentialsRef"
	}
	entries, err := os.ReadDir(dir)
	if err != nil || !holdsFile(dir, entries) {
		return nil, workload.CredentialsMissing, "the Secret named by spec.credentialsRef does not exist or is empty"
	}
	got := make(credentials, len(keys))
	var missing []string
	for _, key := range keys {
		value, err := readBounded(filepath.Join(dir, key.Name))
		switch {
		case err == nil:
			got[key.Name] = strings.TrimRight(value, "\r\n")
		case !key.Optional:
			missing = append(missing, key.Name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, workload.CredentialsKeyMissing, fmt.Sprintf("the Secret has no key %s", strings.Join(missing, ", "))
	}
	return got, workload.CredentialsUnknown, ""
}

// holdsFile ignores the links by which Kubernetes swaps the directory.
func holdsFile(dir string, entries []os.DirEntry) bool {
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

func readBounded(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read a credential: %w", err)
	}
	if info.Size() > maxCredential {
		return "", fmt.Errorf("credential %s is larger than %d bytes", filepath.Base(path), maxCredential)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a credential: %w", err)
	}
	return string(b), nil
}

func (c credentials) equal(o credentials) bool { return maps.Equal(c, o) }
