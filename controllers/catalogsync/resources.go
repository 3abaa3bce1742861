package catalogsync

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/workloadpod"
)

// The catalog worker is one per namespace and owned by every CatalogSync it
// serves, so that it ends with the last of them.
const (
	component  = "catalog"
	workerName = "selaras-catalog"
)

// hubSecretName is the name of the Secret with the worker's hub credentials
// (see controllers/channel: a new value is always a new name).
func hubSecretName(namespaceUID, trust string) string {
	sum := sha256.Sum256([]byte(namespaceUID + "/" + trust))
	return workerName + "-hub-" + hex.EncodeToString(sum[:4])
}

// byAge orders syncs oldest first; of two as old, by name.
func byAge(syncs []*selarasv1alpha1.CatalogSync) {
	sort.Slice(syncs, func(i, j int) bool {
		a, b := syncs[i], syncs[j]
		if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
			return a.CreationTimestamp.Before(&b.CreationTimestamp)
		}
		return a.Name < b.Name
	})
}

// owners are the references of all syncs of the namespace; none of them
// controls the worker, it is shared.
func owners(syncs []*selarasv1alpha1.CatalogSync) []*metaac.OwnerReferenceApplyConfiguration {
	references := make([]*metaac.OwnerReferenceApplyConfiguration, 0, len(syncs))
	for _, sync := range syncs {
		references = append(references, metaac.OwnerReference().
			WithAPIVersion(selarasv1alpha1.GroupVersion.String()).WithKind("CatalogSync").
			WithName(sync.Name).WithUID(sync.UID))
	}
	return references
}

// makeHubSecret builds the Secret with the worker's hub credentials. It belongs
// to the Deployment: syncs come and go, and the operator may not change a
// Secret's owners afterwards.
func makeHubSecret(name string, credentials []byte, deployment *appsv1.Deployment) *corev1.Secret {
	immutable := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: deployment.Namespace, Labels: workloadpod.Labels(component, workerName),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: deployment.Name, UID: deployment.UID,
			}},
		},
		Immutable: &immutable,
		Type:      corev1.SecretTypeOpaque,
		Data:      map[string][]byte{"user.creds": credentials},
	}
}

func makeServiceAccount(namespace string, syncs []*selarasv1alpha1.CatalogSync) *coreac.ServiceAccountApplyConfiguration {
	return coreac.ServiceAccount(workerName, namespace).
		WithLabels(workloadpod.Labels(component, workerName)).
		WithOwnerReferences(owners(syncs)...).
		WithAutomountServiceAccountToken(false)
}

func makeService(namespace string, syncs []*selarasv1alpha1.CatalogSync) *coreac.ServiceApplyConfiguration {
	labels := workloadpod.Labels(component, workerName)
	return coreac.Service(workerName, namespace).
		WithLabels(labels).
		WithOwnerReferences(owners(syncs)...).
		WithSpec(coreac.ServiceSpec().WithType(corev1.ServiceTypeClusterIP).WithSelector(labels).
			WithPorts(coreac.ServicePort().WithName("metrics").WithProtocol(corev1.ProtocolTCP).
				WithPort(workloadpod.MetricsPort).WithTargetPort(intstr.FromString("metrics"))))
}

func makeNetworkPolicy(namespace string, syncs []*selarasv1alpha1.CatalogSync) *networkingac.NetworkPolicyApplyConfiguration {
	labels := workloadpod.Labels(component, workerName)
	return networkingac.NetworkPolicy(workerName, namespace).
		WithLabels(labels).
		WithOwnerReferences(owners(syncs)...).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(labels)).
			WithPolicyTypes("Ingress").
			WithIngress(networkingac.NetworkPolicyIngressRule().WithPorts(
				networkingac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(workloadpod.MetricsPort)))))
}

// deploymentParams is what the Deployment depends on beside the namespace.
type deploymentParams struct {
	image, hubURL, hubSecret string
}

func makeDeployment(namespace string, syncs []*selarasv1alpha1.CatalogSync, p deploymentParams) *appsac.DeploymentApplyConfiguration {
	labels := workloadpod.Labels(component, workerName)
	template := workloadpod.Template(workloadpod.Params{
		Role: "catalog", Component: component, Instance: workerName,
		Image: p.image, HubURL: p.hubURL, HubSecret: p.hubSecret, Namespace: namespace,
	})
	return workloadpod.Deployment(workerName, namespace, labels, 1, template).WithOwnerReferences(owners(syncs)...)
}
