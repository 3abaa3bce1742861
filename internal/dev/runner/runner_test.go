package runner_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// A Deployment becomes Available; a deleted pod is replaced; every pod has the
// same port on an address of its own (issue 2, section 8).
func TestDeploymentRunsAndDeletedPodIsReplaced(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createDeployment(t, client, namespace, "web", 2, podOf())
	eventually(t, "both replicas available", func(ctx context.Context) (bool, string) {
		deployment, err := client.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return deployment.Status.AvailableReplicas == 2, fmt.Sprintf("%+v", deployment.Status)
	})
	first := readyPod(t, client, namespace, "web")
	second := readyPod(t, client, namespace, "web", first)
	if first.Status.PodIP == second.Status.PodIP {
		t.Errorf("two pods share the address %s", first.Status.PodIP)
	}
	if got := get(t, first, "/env?name=POD_IP"); got != first.Status.PodIP {
		t.Errorf("the program was given address %s, its pod has %s", got, first.Status.PodIP)
	}
	if err := client.CoreV1().Pods(namespace).Delete(t.Context(), first.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	readyPod(t, client, namespace, "web", first, second)
	eventually(t, "the deleted pod to be gone", func(ctx context.Context) (bool, string) {
		_, err := client.CoreV1().Pods(namespace).Get(ctx, first.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// A changed template is rolled out by Recreate: no new pod starts while an old
// one still runs.
func TestRecreateEndsTheOldPodFirst(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createDeployment(t, client, namespace, "one", 1, podOf())
	old := readyPod(t, client, namespace, "one")
	patch := `{"spec":{"template":{"metadata":{"annotations":{"changed":"yes"}}}}}`
	if _, err := client.AppsV1().Deployments(namespace).Patch(t.Context(), "one", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	fresh := readyPod(t, client, namespace, "one", old)
	if _, err := client.CoreV1().Pods(namespace).Get(t.Context(), old.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the new pod %s is ready while the old one is still there: %v", fresh.Name, err)
	}
}

// A changed Secret or ConfigMap reaches the mounted file without a restart, and
// an optional Secret that is created later appears (DESIGN 4).
func TestMountedObjectsAreFollowed(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	spec := podOf("-file=/var/run/selaras/credentials/token")
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "credentials", MountPath: "/var/run/selaras/credentials"}}
	optional := true
	spec.Volumes = []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: "shop", Optional: &optional},
	}}}
	createPod(t, client, namespace, "reader", spec)
	pod := readyPod(t, client, namespace, "reader")
	if status, _, err := call(t.Context(), http.MethodGet, pod.Status.PodIP+":8080", "/file"); err != nil || status != http.StatusNotFound {
		t.Fatalf("without the Secret the file was answered with %d, %v", status, err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "shop"}, StringData: map[string]string{"token": "first"}}
	if _, err := client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		eventually(t, "the file to show "+want, func(ctx context.Context) (bool, string) {
			_, body, err := call(ctx, http.MethodGet, pod.Status.PodIP+":8080", "/file")
			return body == want, fmt.Sprint(body, err)
		})
	}
	shows("first")
	secret.StringData["token"] = "second"
	if _, err := client.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	shows("second")
	if again := podUntil(t, client, namespace, "reader", "the pod", func(*corev1.Pod) bool { return true }); again.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("the container was restarted for a changed Secret")
	}
}

// kill -9 of the process restarts the container, counts it and says why.
func TestKilledProcessIsRestarted(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createPod(t, client, namespace, "victim", podOf())
	pod := readyPod(t, client, namespace, "victim")
	pid, err := strconv.Atoi(get(t, pod, "/pid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	pod = podUntil(t, client, namespace, "victim", "the restart", func(pod *corev1.Pod) bool {
		return pod.Status.ContainerStatuses[0].RestartCount == 1 && condition(pod, corev1.PodReady) == corev1.ConditionTrue
	})
	last := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated
	if last == nil || last.ExitCode != 137 || last.Reason != "Error" {
		t.Errorf("the last termination is %+v, want exit code 137", last)
	}
}

// A program that keeps failing is seen in CrashLoopBackOff with its exit code
// and the end of its log.
func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createPod(t, client, namespace, "crasher", corev1.PodSpec{Containers: []corev1.Container{{
		Name: "program", Image: testImage, Args: []string{"-exit=3"},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}}})
	pod := podUntil(t, client, namespace, "crasher", "the back-off", func(pod *corev1.Pod) bool {
		return len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].RestartCount >= 2 &&
			pod.Status.ContainerStatuses[0].State.Waiting != nil
	})
	status := pod.Status.ContainerStatuses[0]
	if status.State.Waiting.Reason != "CrashLoopBackOff" {
		t.Errorf("the container waits for %q", status.State.Waiting.Reason)
	}
	last := status.LastTerminationState.Terminated
	if last == nil || last.ExitCode != 3 || !strings.Contains(last.Message, "hello from crasher") {
		t.Errorf("the last termination is %+v, want exit code 3 and the log's end", last)
	}
}

// A failed readiness probe takes the pod out of service without a restart; a
// failed liveness probe restarts it.
func TestProbesDecide(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createPod(t, client, namespace, "probed", podOf())
	pod := readyPod(t, client, namespace, "probed")
	ask := func(path string) {
		t.Helper()
		if _, _, err := call(t.Context(), http.MethodPost, pod.Status.PodIP+":8080", path); err != nil {
			t.Fatal(err)
		}
	}
	ask("/unready")
	unready := podUntil(t, client, namespace, "probed", "the pod not to be ready", func(pod *corev1.Pod) bool {
		return condition(pod, corev1.PodReady) == corev1.ConditionFalse
	})
	if unready.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("a failed readiness probe restarted the container")
	}
	ask("/break")
	podUntil(t, client, namespace, "probed", "the restart", func(pod *corev1.Pod) bool {
		return pod.Status.ContainerStatuses[0].RestartCount == 1 && condition(pod, corev1.PodReady) == corev1.ConditionTrue
	})
}

// What keeps a container from starting is shown as a kubelet shows it, and goes
// away when it is repaired.
func TestWhatKeepsAContainerFromStartingIsShown(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	unknown := podOf()
	unknown.Containers[0].Image = "nobody/knows:v1"
	createPod(t, client, namespace, "image", unknown)

	keyed := podOf()
	keyed.Containers[0].Env = append(keyed.Containers[0].Env, corev1.EnvVar{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "later"}, Key: "password"},
	}})
	createPod(t, client, namespace, "env", keyed)

	mounted := podOf()
	mounted.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "later"}}}}
	createPod(t, client, namespace, "mount", mounted)

	waits := func(name string, reasons ...string) {
		t.Helper()
		podUntil(t, client, namespace, name, strings.Join(reasons, " or "), func(pod *corev1.Pod) bool {
			if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Waiting == nil {
				return false
			}
			got := pod.Status.ContainerStatuses[0].State.Waiting.Reason
			for _, reason := range reasons {
				if got == reason {
					return true
				}
			}
			return false
		})
	}
	waits("image", "ImagePullBackOff")
	waits("env", "CreateContainerConfigError")
	waits("mount", "ContainerCreating")
	eventually(t, "a FailedMount event", func(ctx context.Context) (bool, string) {
		events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=mount,reason=FailedMount"})
		return err == nil && len(events.Items) > 0, fmt.Sprint(err)
	})

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "later"}, StringData: map[string]string{"password": "p"}}
	if _, err := client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	readyPod(t, client, namespace, "mount")
	if got := get(t, readyPod(t, client, namespace, "env"), "/env?name=PASSWORD"); got != "p" {
		t.Errorf("the repaired pod has PASSWORD=%q", got)
	}
}

// A program that does not heed SIGTERM is killed when its grace period is over,
// and at once when the deletion is forced.
func TestStubbornProgramIsKilled(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	spec := podOf("-stubborn")
	grace := int64(1)
	spec.TerminationGracePeriodSeconds = &grace
	createPod(t, client, namespace, "graced", spec)
	hour, now := int64(3600), int64(0)
	spec = podOf("-stubborn")
	spec.TerminationGracePeriodSeconds = &hour
	createPod(t, client, namespace, "forced", spec)
	for name, options := range map[string]metav1.DeleteOptions{"graced": {}, "forced": {GracePeriodSeconds: &now}} {
		pod := readyPod(t, client, namespace, name)
		if err := client.CoreV1().Pods(namespace).Delete(t.Context(), name, options); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the program to be gone", func(ctx context.Context) (bool, string) {
			_, _, err := call(ctx, http.MethodGet, pod.Status.PodIP+":8080", "/healthz")
			return err != nil, "it still answers"
		})
	}
	eventually(t, "both pods to be gone", func(ctx context.Context) (bool, string) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0, fmt.Sprint(err)
	})
}

// The namespace's deletion ends although pods run in it.
func TestNamespaceDeletionEnds(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createDeployment(t, client, namespace, "web", 1, podOf())
	readyPod(t, client, namespace, "web")
	if err := client.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace to be gone", func(ctx context.Context) (bool, string) {
		_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// A Service's cluster IP reaches its ready pods, and so does the name that is
// written in a pod's environment, even when the Service is headless.
func TestServiceForwardsToReadyPods(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	service, err := client.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 8081, TargetPort: intstr.FromString("http")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	spec := podOf()
	spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: "PEER", Value: "http://web." + namespace + ".svc:8081"},
		corev1.EnvVar{Name: "HEADLESS", Value: "http://headless." + namespace + ".svc.cluster.local:8080"})
	createDeployment(t, client, namespace, "web", 1, spec)
	first := readyPod(t, client, namespace, "web")
	byName := strings.TrimPrefix(get(t, first, "/env?name=PEER"), "http://")
	headless := strings.TrimPrefix(get(t, first, "/env?name=HEADLESS"), "http://")
	through := func() {
		t.Helper()
		for _, address := range []string{service.Spec.ClusterIP + ":8081", byName, headless} {
			eventually(t, "an answer through "+address, func(ctx context.Context) (bool, string) {
				status, body, err := call(ctx, http.MethodGet, address, "/healthz")
				return status == http.StatusOK, fmt.Sprint(body, err)
			})
		}
	}
	// Named before it exists: processes are not restarted for it.
	if _, err := client.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "headless"},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{"app": "web"},
			Ports:     []corev1.ServicePort{{Name: "http", Port: 8080}},
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	through()
	if err := client.CoreV1().Pods(namespace).Delete(t.Context(), first.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	readyPod(t, client, namespace, "web", first)
	through()
}

// A claim is bound, what is written into it outlives the pod, and deleting the
// claim removes the volume.
func TestClaimOutlivesItsPod(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	_, err := client.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	spec := podOf("-file=/data/value")
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
	createDeployment(t, client, namespace, "store", 1, spec)
	first := readyPod(t, client, namespace, "store")
	if status, body, err := call(t.Context(), http.MethodPut, first.Status.PodIP+":8080", "/data?value=kept"); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	if err := client.CoreV1().Pods(namespace).Delete(t.Context(), first.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, readyPod(t, client, namespace, "store", first), "/file"); got != "kept" {
		t.Errorf("the next pod reads %q from the claim", got)
	}
	if err := client.AppsV1().Deployments(namespace).Delete(t.Context(), "store", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	claim, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "data", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().PersistentVolumeClaims(namespace).Delete(t.Context(), "data", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the volume to be gone", func(ctx context.Context) (bool, string) {
		_, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// A pod acts on the API as its service account, with the rights of exactly that
// account (I9).
func TestPodHasTheRightsOfItsServiceAccount(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	_, err := client.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "view"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "default", Namespace: namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	createPod(t, client, namespace, "caller", podOf())
	pod := readyPod(t, client, namespace, "caller")
	config, err := clientcmd.BuildConfigFromFlags("", get(t, pod, "/env?name=KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("the pod may not list pods: %v", err)
	}
	if _, err := own.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the pod lists Secrets: %v", err)
	}
}

// Init containers run one after another before the others; a pod that need not
// restart ends Succeeded, and `kubectl logs` shows what it wrote.
func TestCompletedPodSucceedsAndItsLogIsServed(t *testing.T) {
	t.Parallel()
	client, namespace := namespace(t)
	createPod(t, client, namespace, "job", corev1.PodSpec{
		RestartPolicy:  corev1.RestartPolicyNever,
		InitContainers: []corev1.Container{{Name: "init", Image: testImage}},
		Containers:     []corev1.Container{{Name: "program", Image: testImage}},
	})
	pod := podUntil(t, client, namespace, "job", "success", func(pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodSucceeded
	})
	init, main := pod.Status.InitContainerStatuses[0].State.Terminated, pod.Status.ContainerStatuses[0].State.Terminated
	if init == nil || main == nil || main.StartedAt.Before(&init.FinishedAt) {
		t.Errorf("the container ran %+v, its init container %+v", main, init)
	}
	log, err := client.CoreV1().Pods(namespace).GetLogs("job", &corev1.PodLogOptions{Container: "program"}).DoRaw(t.Context())
	if err != nil || strings.TrimSpace(string(log)) != "hello from job" {
		t.Errorf("the log is %q, %v", log, err)
	}
}
