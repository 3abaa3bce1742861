package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"selaras.dev/selaras/internal/dev/atomicdir"
	"selaras.dev/selaras/internal/dev/podspec"
)

// serviceAccountPath is where every client library expects the pod's token.
const serviceAccountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// mount makes or refreshes every volume and returns their local paths.
func (w *podWorker) mount(ctx context.Context, pod *corev1.Pod) (map[string]string, error) {
	paths := map[string]string{}
	var failures []error
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		path, err := w.mountOne(ctx, pod, volume)
		if err != nil {
			failures = append(failures, fmt.Errorf("volume %q: %w", volume.Name, err))
			continue
		}
		paths[volume.Name] = path
	}
	return paths, errors.Join(failures...)
}

func (w *podWorker) mountOne(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) (string, error) {
	path := filepath.Join(w.dir, "volumes", volume.Name)
	switch {
	case podspec.HasFiles(volume):
		files, err := podspec.Files(ctx, pod, volume, nodeCapacity(), w.objects())
		if err != nil {
			return "", err
		}
		_, err = atomicdir.Write(path, files)
		return path, err
	case volume.EmptyDir != nil:
		return path, os.MkdirAll(path, 0o700)
	case volume.HostPath != nil:
		return volume.HostPath.Path, nil
	case volume.PersistentVolumeClaim != nil:
		return w.claimPath(ctx, volume.PersistentVolumeClaim.ClaimName)
	case volume.Ephemeral != nil:
		return w.claimPath(ctx, pod.Name+"-"+volume.Name)
	}
	return "", errors.New("its kind is not supported in the development cluster")
}

// claimPath is the directory behind a bound claim.
func (w *podWorker) claimPath(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	claim, err := w.runner.client.CoreV1().PersistentVolumeClaims(w.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return "", fmt.Errorf("persistentvolumeclaim %q is not bound", name)
	}
	bound, err := w.runner.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if bound.Spec.HostPath == nil {
		return "", fmt.Errorf("persistentvolume %q is no directory of this machine", bound.Name)
	}
	return bound.Spec.HostPath.Path, nil
}

// objects reads what the pod refers to, in its namespace.
func (w *podWorker) objects() podspec.Objects {
	return podspec.Objects{
		ConfigMap: w.runner.configMaps.ConfigMaps(w.namespace).Get,
		Secret:    w.runner.secrets.Secrets(w.namespace).Get,
		Token:     w.token,
	}
}

type tokenCache map[tokenKey]tokenEntry

type tokenKey struct {
	audience string
	seconds  int64
}

type tokenEntry struct {
	value string
	renew time.Time
}

// token is a service account token bound to the pod; it is renewed when 80% of
// its life is over, as a kubelet does.
func (w *podWorker) token(ctx context.Context, audience string, seconds int64) (string, error) {
	key := tokenKey{audience, seconds}
	if cached, ok := w.tokens[key]; ok && time.Now().Before(cached.renew) {
		return cached.value, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: w.name, UID: w.uid},
	}}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	asked := time.Now()
	account := w.view().pod.Spec.ServiceAccountName
	answer, err := w.runner.client.CoreV1().ServiceAccounts(w.namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	life := answer.Status.ExpirationTimestamp.Sub(asked)
	w.tokens[key] = tokenEntry{value: answer.Status.Token, renew: asked.Add(life * 8 / 10)}
	return answer.Status.Token, nil
}

// mounts maps the container's mount paths to local paths. Directories of a
// subPath are made in volumes that the container writes to.
func (v podView) mounts(spec *corev1.Container) (map[string]string, error) {
	paths := map[string]string{}
	for _, mount := range spec.VolumeMounts {
		local := v.volumes[mount.Name]
		if mount.SubPath != "" {
			if !filepath.IsLocal(mount.SubPath) {
				return nil, fmt.Errorf("subPath %q of volume %q leaves the volume", mount.SubPath, mount.Name)
			}
			local = filepath.Join(local, mount.SubPath)
			for i := range v.pod.Spec.Volumes {
				if volume := &v.pod.Spec.Volumes[i]; volume.Name == mount.Name && !podspec.HasFiles(volume) {
					if err := os.MkdirAll(local, 0o700); err != nil {
						return nil, fmt.Errorf("make subPath of volume %q: %w", mount.Name, err)
					}
				}
			}
		}
		paths[mount.MountPath] = local
	}
	return paths, nil
}

// writeKubeconfig lets client libraries find the service account's token at its
// local path; it returns the kubeconfig's path.
func (w *podWorker) writeKubeconfig(tokenDir string) (string, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters["dev"] = &clientcmdapi.Cluster{
		Server:               w.runner.options.Config.Host,
		CertificateAuthority: filepath.Join(tokenDir, "ca.crt"),
	}
	config.AuthInfos["pod"] = &clientcmdapi.AuthInfo{TokenFile: filepath.Join(tokenDir, "token")}
	config.Contexts["pod"] = &clientcmdapi.Context{Cluster: "dev", AuthInfo: "pod", Namespace: w.namespace}
	config.CurrentContext = "pod"
	path := filepath.Join(w.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("write the pod's kubeconfig: %w", err)
	}
	return path, nil
}
