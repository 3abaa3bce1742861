// Package workloadpod builds what the pods of all workloads have in common:
// they run the selaras binary in one role, hold no Kubernetes token, meet the
// restricted Pod Security Standard, read their hub credentials from a mounted
// Secret and answer probes and scrapes on one port.
package workloadpod

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	metav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	v1 "k8s.io/api/core/v1"
)

// The places of a workload's files and ports, the same in every pod.
const (
	HubDir         = "/var/run/selaras/hub"
	HubCredentials = HubDir + "/user.creds"
	CredentialsDir = "/var/run/selaras/credentials"
	CADir          = "/var/run/selaras/ca"
	ClientCertDir  = "/var/run/selaras/client-certificate"
	DataDir        = "/var/lib/selaras"

	// MetricsPort serves /metrics, /healthz and /readyz, WebhookPort the
	// channel's webhooks.
	MetricsPort = 8080
	WebhookPort = 8081

	// user is the unprivileged user of the image.
	user = 65532
)

// Labels that the operator sets on everything it makes.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelComponent = "app.kubernetes.io/component"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "selaras"
)

// Labels returns the labels of a component's objects.
func Labels(component, instance string) map[string]string {
	return map[string]string{
		LabelName: "selaras", LabelComponent: component,
		LabelInstance: instance, LabelManagedBy: ManagedBy,
	}
}

// Params is what differs between workloads.
type Params struct {
	// Role is the subcommand, Component and Instance are the labels.
	Role, Component, Instance string
	Image                     string
	// Args come after the role and the common ones.
	Args []string
	// HubSecret holds key user.creds.
	HubSecret string
	HubURL    string
	Namespace string
	// Webhooks adds the webhook port.
	Webhooks bool
	// Volumes and Mounts beside the common ones; Data replaces the emptyDir of
	// DataDir.
	Volumes   []*corev1.VolumeApplyConfiguration
	Mounts    []*corev1.VolumeMountApplyConfiguration
	Data      *corev1.VolumeApplyConfiguration
	Resources *v1.ResourceRequirements
}

// defaultResources are requests alone: a limit would throttle a fill.
var defaultResources = v1.ResourceRequirements{
	Requests: v1.ResourceList{
		v1.ResourceCPU:    resource.MustParse("20m"),
		v1.ResourceMemory: resource.MustParse("64Mi"),
	},
}

// Template builds the pod template.
func Template(p Params) *corev1.PodTemplateSpecApplyConfiguration {
	args := append([]string{
		p.Role,
		"--namespace=" + p.Namespace,
		"--hub-url=" + p.HubURL,
		"--hub-credentials=" + HubCredentials,
		"--data-dir=" + DataDir,
		"--bind-address=$(POD_IP)",
		fmt.Sprintf("--port=%d", MetricsPort),
	}, p.Args...)
	ports := []*corev1.ContainerPortApplyConfiguration{
		corev1.ContainerPort().WithName("metrics").WithContainerPort(MetricsPort).WithProtocol(v1.ProtocolTCP),
	}
	if p.Webhooks {
		args = append(args, fmt.Sprintf("--webhook-port=%d", WebhookPort))
		ports = append(ports, corev1.ContainerPort().WithName("webhooks").WithContainerPort(WebhookPort).WithProtocol(v1.ProtocolTCP))
	}
	data := p.Data
	if data == nil {
		data = corev1.Volume().WithName("data").WithEmptyDir(corev1.EmptyDirVolumeSource())
	}
	resources := p.Resources
	if resources == nil {
		resources = &defaultResources
	}
	container := corev1.Container().
		WithName(p.Role).
		WithImage(p.Image).
		WithArgs(args...).
		WithEnv(
			corev1.EnvVar().WithName("POD_IP").WithValueFrom(corev1.EnvVarSource().WithFieldRef(
				corev1.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("status.podIP"))),
			corev1.EnvVar().WithName("POD_NAME").WithValueFrom(corev1.EnvVarSource().WithFieldRef(
				corev1.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.name"))),
		).
		WithPorts(ports...).
		WithResources(corev1.ResourceRequirements().WithRequests(resources.Requests).WithLimits(resources.Limits)).
		WithVolumeMounts(append([]*corev1.VolumeMountApplyConfiguration{
			corev1.VolumeMount().WithName("hub").WithMountPath(HubDir).WithReadOnly(true),
			corev1.VolumeMount().WithName("data").WithMountPath(DataDir),
		}, p.Mounts...)...).
		WithStartupProbe(probe("/healthz", 2, 30)).
		WithLivenessProbe(probe("/healthz", 10, 6)).
		WithReadinessProbe(probe("/readyz", 2, 2)).
		WithTerminationMessagePolicy(v1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(corev1.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1.Capabilities().WithDrop("ALL")))
	return corev1.PodTemplateSpec().
		WithLabels(Labels(p.Component, p.Instance)).
		WithAnnotations(map[string]string{"kubectl.kubernetes.io/default-container": p.Role}).
		WithSpec(corev1.PodSpec().
			WithServiceAccountName(p.Instance).
			WithAutomountServiceAccountToken(false).
			WithEnableServiceLinks(false).
			WithTerminationGracePeriodSeconds(30).
			WithSecurityContext(corev1.PodSecurityContext().
				WithRunAsNonRoot(true).WithRunAsUser(user).WithRunAsGroup(user).WithFSGroup(user).
				WithSeccompProfile(corev1.SeccompProfile().WithType(v1.SeccompProfileTypeRuntimeDefault))).
			WithContainers(container).
			WithVolumes(append([]*corev1.VolumeApplyConfiguration{
				corev1.Volume().WithName("hub").WithSecret(corev1.SecretVolumeSource().WithSecretName(p.HubSecret).WithDefaultMode(0o440)),
				data,
			}, p.Volumes...)...))
}

// Deployment builds a Deployment of one pod that is replaced, never doubled:
// two writers of one channel must not run side by side (DESIGN §5.2).
func Deployment(name, namespace string, labels map[string]string, replicas int32, template *corev1.PodTemplateSpecApplyConfiguration) *appsv1.DeploymentApplyConfiguration {
	return appsv1.Deployment(name, namespace).
		WithLabels(labels).
		WithSpec(appsv1.DeploymentSpec().
			WithReplicas(replicas).
			WithRevisionHistoryLimit(2).
			WithProgressDeadlineSeconds(120).
			WithStrategy(appsv1.DeploymentStrategy().WithType("Recreate")).
			WithSelector(metav1.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(template))
}

func probe(path string, period, failures int32) *corev1.ProbeApplyConfiguration {
	return corev1.Probe().
		WithHTTPGet(corev1.HTTPGetAction().WithPath(path).WithPort(intstr.FromString("metrics")).WithScheme(v1.URISchemeHTTP)).
		WithPeriodSeconds(period).WithTimeoutSeconds(2).WithFailureThreshold(failures)
}
