package channel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

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

// component is the label of everything a Channel owns.
const component = "connector"

// childName is the name of the Channel's children: one name, several kinds.
func childName(channel *selarasv1alpha1.Channel) string { return channel.Name + "-connector" }

// hubSecretName is the name of the Secret with the connector's hub
// credentials. It depends on what must lead to new credentials: another
// Channel of the same name, another trust of the hub. The operator may create
// Secrets and cannot read them, so that a new value is always a new name.
func hubSecretName(channel *selarasv1alpha1.Channel, trust string) string {
	sum := sha256.Sum256([]byte(string(channel.UID) + "/" + trust))
	return fmt.Sprintf("%s-hub-%s", channel.Name, hex.EncodeToString(sum[:4]))
}

func ownerReference(channel *selarasv1alpha1.Channel) *metaac.OwnerReferenceApplyConfiguration {
	return metaac.OwnerReference().
		WithAPIVersion(selarasv1alpha1.GroupVersion.String()).WithKind("Channel").
		WithName(channel.Name).WithUID(channel.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

// makeHubSecret builds the Secret with the connector's hub credentials.
func makeHubSecret(channel *selarasv1alpha1.Channel, name string, credentials []byte) *corev1.Secret {
	yes := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: channel.Namespace,
			Labels: workloadpod.Labels(component, childName(channel)),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: selarasv1alpha1.GroupVersion.String(), Kind: "Channel",
				Name: channel.Name, UID: channel.UID, Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Immutable: &yes,
		Type:      corev1.SecretTypeOpaque,
		Data:      map[string][]byte{"user.creds": credentials},
	}
}

// makeServiceAccount builds the connector's identity: it has no right and its
// token is mounted nowhere.
func makeServiceAccount(channel *selarasv1alpha1.Channel) *coreac.ServiceAccountApplyConfiguration {
	return coreac.ServiceAccount(childName(channel), channel.Namespace).
		WithLabels(workloadpod.Labels(component, childName(channel))).
		WithOwnerReferences(ownerReference(channel)).
		WithAutomountServiceAccountToken(false)
}

// makeService builds the Service for scrapes and webhooks.
func makeService(channel *selarasv1alpha1.Channel) *coreac.ServiceApplyConfiguration {
	labels := workloadpod.Labels(component, childName(channel))
	ports := []*coreac.ServicePortApplyConfiguration{
		coreac.ServicePort().WithName("metrics").WithProtocol(corev1.ProtocolTCP).
			WithPort(workloadpod.MetricsPort).WithTargetPort(intstr.FromString("metrics")),
	}
	if channel.Spec.Webhooks != nil {
		ports = append(ports, coreac.ServicePort().WithName("webhooks").WithProtocol(corev1.ProtocolTCP).
			WithPort(80).WithTargetPort(intstr.FromString("webhooks")))
	}
	return coreac.Service(childName(channel), channel.Namespace).
		WithLabels(labels).
		WithOwnerReferences(ownerReference(channel)).
		WithSpec(coreac.ServiceSpec().WithType(corev1.ServiceTypeClusterIP).WithSelector(labels).WithPorts(ports...))
}

// makeNetworkPolicy builds the policy of the connector: in come scrapes and
// webhooks alone. Out is left open: the channel may be anywhere.
func makeNetworkPolicy(channel *selarasv1alpha1.Channel) *networkingac.NetworkPolicyApplyConfiguration {
	labels := workloadpod.Labels(component, childName(channel))
	ports := []*networkingac.NetworkPolicyPortApplyConfiguration{
		networkingac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(workloadpod.MetricsPort)),
	}
	if channel.Spec.Webhooks != nil {
		ports = append(ports, networkingac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(workloadpod.WebhookPort)))
	}
	return networkingac.NetworkPolicy(childName(channel), channel.Namespace).
		WithLabels(labels).
		WithOwnerReferences(ownerReference(channel)).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(labels)).
			WithPolicyTypes("Ingress").
			WithIngress(networkingac.NetworkPolicyIngressRule().WithPorts(ports...)))
}

// makeStorage builds the claim of connector.storage; nil when there is none.
func makeStorage(channel *selarasv1alpha1.Channel) *coreac.PersistentVolumeClaimApplyConfiguration {
	if channel.Spec.Connector == nil || channel.Spec.Connector.Storage == nil {
		return nil
	}
	storage := channel.Spec.Connector.Storage
	spec := coreac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(coreac.VolumeResourceRequirements().WithRequests(corev1.ResourceList{corev1.ResourceStorage: storage.Size}))
	if storage.StorageClassName != nil {
		spec = spec.WithStorageClassName(*storage.StorageClassName)
	}
	return coreac.PersistentVolumeClaim(childName(channel), channel.Namespace).
		WithLabels(workloadpod.Labels(component, childName(channel))).
		WithOwnerReferences(ownerReference(channel)).
		WithSpec(spec)
}

// deploymentParams is what the Deployment depends on beside the Channel.
type deploymentParams struct {
	image, hubURL, hubSecret string
}

// makeDeployment builds the connector's Deployment. Only what a pod is made of
// is in it; how the connector works comes through the hub, so that a change of
// the spec restarts nothing it need not (I7).
func makeDeployment(channel *selarasv1alpha1.Channel, p deploymentParams) *appsac.DeploymentApplyConfiguration {
	name, labels := childName(channel), workloadpod.Labels(component, childName(channel))
	params := workloadpod.Params{
		Role: "connector", Component: component, Instance: name,
		Image: p.image, HubURL: p.hubURL, HubSecret: p.hubSecret, Namespace: channel.Namespace,
		Args:     []string{"--channel=" + channel.Name, "--type=" + channel.Spec.Type},
		Webhooks: channel.Spec.Webhooks != nil,
	}
	mount := func(volume *coreac.VolumeApplyConfiguration, path string) {
		params.Volumes = append(params.Volumes, volume)
		params.Mounts = append(params.Mounts, coreac.VolumeMount().WithName(*volume.Name).WithMountPath(path).WithReadOnly(true))
	}
	if ref := channel.Spec.CredentialsRef; ref != nil {
		params.Args = append(params.Args, "--credentials-dir="+workloadpod.CredentialsDir)
		// Optional: the pod starts without the Secret and says what is missing.
		mount(coreac.Volume().WithName("credentials").WithSecret(coreac.SecretVolumeSource().
			WithSecretName(ref.Name).WithOptional(true).WithDefaultMode(0o440)), workloadpod.CredentialsDir)
	}
	if tls := channel.Spec.TLS; tls != nil {
		if ref := tls.CABundleRef; ref != nil {
			key := ref.Key
			if key == "" {
				key = "ca.crt"
			}
			params.Args = append(params.Args, "--ca-bundle="+workloadpod.CADir+"/ca.crt")
			mount(coreac.Volume().WithName("ca").WithConfigMap(coreac.ConfigMapVolumeSource().
				WithName(ref.Name).WithOptional(true).WithItems(coreac.KeyToPath().WithKey(key).WithPath("ca.crt"))), workloadpod.CADir)
		}
		if ref := tls.ClientCertificateRef; ref != nil {
			params.Args = append(params.Args, "--client-certificate-dir="+workloadpod.ClientCertDir)
			mount(coreac.Volume().WithName("client-certificate").WithSecret(coreac.SecretVolumeSource().
				WithSecretName(ref.Name).WithOptional(true).WithDefaultMode(0o440)), workloadpod.ClientCertDir)
		}
	}
	if hooks := channel.Spec.Webhooks; hooks != nil {
		params.Args = append(params.Args, "--webhook-path="+webhookPath(channel))
	}
	if makeStorage(channel) != nil {
		params.Data = coreac.Volume().WithName("data").WithPersistentVolumeClaim(
			coreac.PersistentVolumeClaimVolumeSource().WithClaimName(name))
	} else {
		params.Args = append(params.Args, "--data-scratch")
	}
	if connector := channel.Spec.Connector; connector != nil {
		if connector.Image != "" {
			params.Image = connector.Image
		}
		params.Resources = connector.Resources
	}
	template := workloadpod.Template(params)
	if connector := channel.Spec.Connector; connector != nil && connector.PodTemplate != nil {
		overlay(template, connector.PodTemplate)
	}
	replicas := int32(1)
	if channel.Spec.State == selarasv1alpha1.ChannelStopped {
		replicas = 0
	}
	return workloadpod.Deployment(name, channel.Namespace, labels, replicas, template).
		WithOwnerReferences(ownerReference(channel))
}

// webhookURL is where the shop is told to send its webhooks to; empty without.
func webhookURL(channel *selarasv1alpha1.Channel) string {
	if channel.Spec.Webhooks == nil {
		return ""
	}
	return "https://" + channel.Spec.Webhooks.Host + webhookPath(channel)
}

// webhookPath is the path under which the connector takes webhooks.
func webhookPath(channel *selarasv1alpha1.Channel) string {
	if hooks := channel.Spec.Webhooks; hooks != nil && hooks.Path != "" {
		return hooks.Path
	}
	return "/webhooks/" + channel.Namespace + "/" + channel.Name
}
