package demo

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// Labels and ports of the pods, as the operator makes them.
const (
	labelComponent = "app.kubernetes.io/component"
	labelInstance  = "app.kubernetes.io/instance"
	portWebhooks   = "webhooks"
	portMetrics    = "metrics"
)

// connectorPod is the pod of a shop's connector; nil when there is none that
// is not being deleted.
func (w *world) connectorPod(ctx context.Context, s *shop) (*corev1.Pod, error) {
	return w.pod(ctx, client.MatchingLabels{labelComponent: "connector", labelInstance: s.name + "-connector"})
}

func (w *world) pod(ctx context.Context, labels client.MatchingLabels) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := w.kube.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			return &pods.Items[i], nil
		}
	}
	return nil, nil
}

// address is host:port of a named port of the pod; empty while it has none.
func address(pod *corev1.Pod, port string) string {
	if pod == nil || pod.Status.PodIP == "" {
		return ""
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == port {
				return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(p.ContainerPort)))
			}
		}
	}
	return ""
}

// deliverWebhooks points each shop's webhooks at its connector, wherever that
// runs, until ctx ends. On a cluster an Ingress and a Service do this.
func (w *world) deliverWebhooks(ctx context.Context) {
	pointed := map[*shop]string{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for _, s := range w.shops() {
			pod, err := w.connectorPod(ctx, s)
			if err != nil {
				continue
			}
			host := address(pod, portWebhooks)
			if host == "" || pointed[s] == host {
				continue
			}
			url := "http://" + host + "/webhooks/" + namespace + "/" + s.name
			if err := s.SetWebhook(url, s.webhookSecret); err != nil {
				w.log.Warn("point a shop's webhooks", "shop", s.name, "error", err)
				continue
			}
			pointed[s] = host
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// channel reads a shop's Channel.
func (w *world) channel(ctx context.Context, s *shop) (*selarasv1alpha1.Channel, error) {
	var channel selarasv1alpha1.Channel
	if err := w.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.name}, &channel); err != nil {
		return nil, fmt.Errorf("read the Channel %s: %w", s.name, err)
	}
	return &channel, nil
}

// sync reads the CatalogSync.
func (w *world) sync(ctx context.Context) (*selarasv1alpha1.CatalogSync, error) {
	var sync selarasv1alpha1.CatalogSync
	if err := w.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: syncName}, &sync); err != nil {
		return nil, fmt.Errorf("read the CatalogSync %s: %w", syncName, err)
	}
	return &sync, nil
}

// awaitChannel waits until a condition of a shop's Channel has a status.
func (w *world) awaitChannel(ctx context.Context, limit time.Duration, s *shop, condition string, status metav1.ConditionStatus) (*metav1.Condition, error) {
	var found *metav1.Condition
	err := until(ctx, limit, fmt.Sprintf("the Channel %s has %s=%s", s.name, condition, status), func(ctx context.Context) (bool, string, error) {
		channel, err := w.channel(ctx, s)
		if err != nil {
			return false, "", err
		}
		found = meta.FindStatusCondition(channel.Status.Conditions, condition)
		return found != nil && found.Status == status, describeCondition(found), nil
	})
	return found, err
}

// awaitSync waits until a condition of the CatalogSync has a status.
func (w *world) awaitSync(ctx context.Context, limit time.Duration, condition string, status metav1.ConditionStatus) error {
	return until(ctx, limit, fmt.Sprintf("the CatalogSync %s has %s=%s", syncName, condition, status), func(ctx context.Context) (bool, string, error) {
		sync, err := w.sync(ctx)
		if err != nil {
			return false, "", err
		}
		found := meta.FindStatusCondition(sync.Status.Conditions, condition)
		return found != nil && found.Status == status, describeCondition(found), nil
	})
}

func describeCondition(c *metav1.Condition) string {
	if c == nil {
		return "no such condition"
	}
	return fmt.Sprintf("%s=%s, %s: %s", c.Type, c.Status, c.Reason, c.Message)
}

// changeSecret sets one key of a shop's credentials.
func (w *world) changeSecret(ctx context.Context, s *shop, key, value string) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var secret corev1.Secret
		if err := w.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.name + credentialsSuffix}, &secret); err != nil {
			return err
		}
		secret.Data[key] = []byte(value)
		return w.kube.Update(ctx, &secret)
	})
	if err != nil {
		return fmt.Errorf("change the Secret %s%s: %w", s.name, credentialsSuffix, err)
	}
	return nil
}

// kill sends SIGKILL to the process behind the pod's container and returns its
// id. The runner of pods names a container's process in its id.
func kill(pod *corev1.Pod) (int, error) {
	if len(pod.Status.ContainerStatuses) == 0 {
		return 0, fmt.Errorf("the pod %s has no container yet", pod.Name)
	}
	id := pod.Status.ContainerStatuses[0].ContainerID
	text, _, ok := strings.Cut(strings.TrimPrefix(id, "process://"), "-")
	pid, err := strconv.Atoi(text)
	if !ok || err != nil || pid <= 1 {
		return 0, fmt.Errorf("the container of pod %s has the id %q, which names no process", pod.Name, id)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("kill process %d of pod %s: %w", pid, pod.Name, err)
	}
	return pid, nil
}

// restarts of the pod's container, and whether it is ready.
func restarts(pod *corev1.Pod) (count int32, ready bool) {
	if pod == nil || len(pod.Status.ContainerStatuses) == 0 {
		return 0, false
	}
	return pod.Status.ContainerStatuses[0].RestartCount, pod.Status.ContainerStatuses[0].Ready
}

// awaitConnector waits until a shop's connector is ready after at least so many
// restarts, and returns how many it had.
func (w *world) awaitConnector(ctx context.Context, limit time.Duration, s *shop, least int32) (count int32, err error) {
	err = until(ctx, limit, "the connector of "+s.name+" is ready", func(ctx context.Context) (bool, string, error) {
		pod, err := w.connectorPod(ctx, s)
		if err != nil {
			return false, "", err
		}
		var ready bool
		count, ready = restarts(pod)
		return ready && count >= least, fmt.Sprintf("%d restarts, ready: %t", count, ready), nil
	})
	return count, err
}

// checkKubeconfig proves that what the demo prints works.
func checkKubeconfig(path string) error {
	_, err := clientcmd.BuildConfigFromFlags("", path)
	return err
}
