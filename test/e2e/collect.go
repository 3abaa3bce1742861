package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// collectTimeout bounds what is kept of one failed case.
const collectTimeout = 90 * time.Second

// collect writes what explains a failure to files: logs, also of the
// containers before, events, resources and metrics of the namespaces. Secrets
// are not read. It returns where they are and the troubles in a few lines.
func (w *world) collect(test string, namespaces ...string) string {
	dir := filepath.Join(w.artifacts, strings.NewReplacer("/", "_", " ", "_").Replace(test))
	told := w.collectInto(dir, namespaces...)
	return fmt.Sprintf("logs, events, resources and metrics are in %s\n%s", dir, strings.Join(told, "\n"))
}

// collectInto writes them to a directory and returns the troubles.
func (w *world) collectInto(dir string, namespaces ...string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	c := &collector{world: w, ctx: ctx}
	var told []string
	for _, namespace := range namespaces {
		c.dir = filepath.Join(dir, namespace)
		c.resources(namespace)
		c.pods(namespace)
		told = append(told, w.troubles(ctx, namespace))
	}
	return append(told, c.failed...)
}

type collector struct {
	*world
	ctx    context.Context //nolint:containedctx // one collection
	dir    string
	failed []string
}

// resources writes every kind that matters as one YAML file.
func (c *collector) resources(namespace string) {
	for name, list := range map[string]client.ObjectList{
		"pods": &corev1.PodList{}, "services": &corev1.ServiceList{}, "serviceaccounts": &corev1.ServiceAccountList{},
		"persistentvolumeclaims": &corev1.PersistentVolumeClaimList{}, "endpointslices": &discoveryv1.EndpointSliceList{},
		"deployments": &appsv1.DeploymentList{}, "statefulsets": &appsv1.StatefulSetList{}, "replicasets": &appsv1.ReplicaSetList{},
		"networkpolicies": &networkingv1.NetworkPolicyList{}, "leases": &coordinationv1.LeaseList{}, "events": &eventsv1.EventList{},
		"channels": &selarasv1alpha1.ChannelList{}, "catalogsyncs": &selarasv1alpha1.CatalogSyncList{},
	} {
		if err := c.kube.List(c.ctx, list, client.InNamespace(namespace)); err != nil {
			c.note(fmt.Errorf("listing %s of %s: %w", name, namespace, err))
			continue
		}
		if meta.LenList(list) == 0 {
			continue
		}
		text, err := yaml.Marshal(list)
		c.note(err)
		c.write(name+".yaml", text)
	}
	node := &corev1.NodeList{}
	if err := c.kube.List(c.ctx, node); err == nil {
		text, err := yaml.Marshal(node)
		c.note(err)
		c.write("../nodes.yaml", text)
	}
}

// pods writes logs and metrics of every pod.
func (c *collector) pods(namespace string) {
	var pods corev1.PodList
	if err := c.kube.List(c.ctx, &pods, client.InNamespace(namespace)); err != nil {
		c.note(err)
		return
	}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			c.log(&pod, status.Name, false)
			if status.RestartCount > 0 {
				c.log(&pod, status.Name, true)
			}
		}
		if pod.Labels["app.kubernetes.io/name"] != "selaras" || pod.Labels["app.kubernetes.io/component"] == "hub" {
			continue
		}
		if text, err := c.metricsText(c.ctx, namespace, pod.Name); err == nil {
			c.write(filepath.Join("metrics", pod.Name+".txt"), text)
		} else {
			c.note(err)
		}
	}
}

func (c *collector) log(pod *corev1.Pod, container string, previous bool) {
	name := pod.Name + "." + container
	if previous {
		name += ".previous"
	}
	text, err := c.clientset.CoreV1().Pods(pod.Namespace).
		GetLogs(pod.Name, &corev1.PodLogOptions{Container: container, Previous: previous, Timestamps: true}).DoRaw(c.ctx)
	if err != nil {
		c.note(fmt.Errorf("log %s: %w", name, err))
		return
	}
	c.write(filepath.Join("logs", name+".log"), text)
}

func (c *collector) write(name string, text []byte) {
	path := filepath.Join(c.dir, name)
	c.note(os.MkdirAll(filepath.Dir(path), 0o750))
	c.note(os.WriteFile(path, text, 0o600))
}

// note remembers what could not be collected; the rest is collected all the
// same.
func (c *collector) note(err error) {
	if err != nil {
		c.failed = append(c.failed, "not collected: "+err.Error())
	}
}
