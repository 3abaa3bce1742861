package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChannelState is what the connector of a Channel does.
// +kubebuilder:validation:Enum=Running;Paused;Stopped
type ChannelState string

// The states of a Channel.
const (
	// ChannelRunning reads and writes.
	ChannelRunning ChannelState = "Running"
	// ChannelPaused goes on reading listings, orders and webhooks, and writes
	// nothing to the channel. What should be written stays pending.
	ChannelPaused ChannelState = "Paused"
	// ChannelStopped runs no connector at all.
	ChannelStopped ChannelState = "Stopped"
)

// DeletionPolicy is what becomes of a channel's listings when the Channel is
// deleted.
// +kubebuilder:validation:Enum=Orphan;Delist
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionOrphan leaves the shop as it is.
	DeletionOrphan DeletionPolicy = "Orphan"
	// DeletionDelist takes the listings out of sale first.
	DeletionDelist DeletionPolicy = "Delist"
)

// Channel is one place where goods are sold: a web shop, a marketplace, a
// till. It says which API to talk to and as whom; what is sold there is said
// by CatalogSyncs.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=channels,scope=Namespaced,shortName=chan,categories=selaras
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Connected",type=string,JSONPath=`.status.conditions[?(@.type=="Connected")].status`
// +kubebuilder:printcolumn:name="Credentials",type=string,JSONPath=`.status.conditions[?(@.type=="CredentialsValid")].reason`
// +kubebuilder:printcolumn:name="Listings",type=integer,JSONPath=`.status.listings`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`,priority=1
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.accountID`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')",message="metadata.name must be a DNS label of at most 52 characters: write small letters, digits and '-', no dots, such as webshop-id"
type Channel struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what you want.
	// +required
	Spec ChannelSpec `json:"spec,omitzero"`

	// status is what the operator found.
	// +optional
	Status ChannelStatus `json:"status,omitzero"`
}

// ChannelSpec is what a user wants of a Channel.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.endpoint.startsWith('https://')",message="tls needs an https endpoint: write https:// in spec.endpoint, or remove spec.tls"
type ChannelSpec struct {
	// type of the channel: the name of its driver, such as vendure or medusa.
	// A type that this installation does not know needs connector.image, an
	// image that brings the driver. Cannot be changed: the listings of one
	// shop system mean nothing to another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="write the name of a channel type in small letters, such as vendure or medusa"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="type cannot be changed: create a new Channel with a new name for the new shop, and delete this one"
	Type string `json:"type,omitempty"`

	// endpoint is the address of the channel's API, an http or https URL
	// without user name, password, query or fragment. Which path belongs to it
	// is said in the documentation of the type; for vendure it ends in
	// /admin-api. It may be changed when the same shop moves.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://') && isURL(self) && url(self).getHostname() != ''",message="write an http or https URL such as https://shop.example.com/admin-api"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[a-z]+://[^/?#]*@')",message="write the URL without user name and password: they belong in the Secret that credentialsRef names"
	// +kubebuilder:validation:XValidation:rule="!self.contains('?') && !self.contains('#')",message="write the URL without query (?...) and fragment (#...)"
	Endpoint string `json:"endpoint,omitempty"`

	// credentialsRef names the Secret with the credentials, in the same
	// namespace. Which keys it must have is said in the documentation of the
	// type; for vendure username and password. The Secret may be created or
	// changed later: it is picked up without a restart.
	// +optional
	CredentialsRef *SecretReference `json:"credentialsRef,omitempty"`

	// tls says how the channel's certificate is checked, and with which
	// certificate the connector proves itself. When absent: the certificate
	// authorities of the connector's image, no client certificate.
	// +optional
	TLS *TLS `json:"tls,omitempty"`

	// proxy is the URL of a proxy (http, https or socks5) through which the
	// channel is reached. When absent: none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|socks5)://') && isURL(self) && url(self).getHostname() != ''",message="write the URL of a proxy such as http://proxy.example.com:3128 (http, https or socks5)"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[a-z0-9]+://[^/?#]*@')",message="write the proxy without user name and password: a spec is not a place for secrets"
	Proxy string `json:"proxy,omitempty"`

	// locale in which titles and descriptions are read and written, a BCP 47
	// tag such as id, en-GB or zh-Hant-TW. When absent: the shop's own default.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=35
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$')",message="write a BCP 47 language tag with '-' between its parts, such as id, en-GB or zh-Hant-TW"
	Locale string `json:"locale,omitempty"`

	// currency in which prices are read and written, an ISO 4217 code such as
	// EUR. Needed by every type that sells; a shop may have other currencies
	// beside it, they are left alone.
	// +optional
	// +kubebuilder:validation:MaxLength=3
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z]{3}$')",message="write an ISO 4217 currency code in capitals, such as EUR or IDR"
	Currency string `json:"currency,omitempty"`

	// timezone of the channel, a name of the IANA database such as
	// Asia/Jakarta. When absent: UTC.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')",message="write a time zone of the IANA database, such as Asia/Jakarta or UTC (not an offset such as +07:00)"
	Timezone string `json:"timezone,omitempty"`

	// config holds what only this type of channel knows. Its fields are in the
	// documentation of the type.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Config *apiextensionsv1.JSON `json:"config,omitempty"`

	// rateLimit bounds the calls to the channel's API.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// polling says how often the channel is asked for news.
	// +optional
	Polling *Polling `json:"polling,omitempty"`

	// webhooks lets the channel send its news by itself, which is faster than
	// polling (polling goes on beside it). The signing key is read from the
	// Secret of credentialsRef.
	// +optional
	Webhooks *Webhooks `json:"webhooks,omitempty"`

	// state of the data plane. Running: read and write. Paused: go on reading
	// listings and orders, write nothing; what should be written stays pending.
	// Stopped: no connector runs, nothing is read or written. When absent:
	// Running.
	// +optional
	State ChannelState `json:"state,omitempty"`

	// suspend stops the operator from acting on changes of this Channel; the
	// connector runs on as it is. To stop the connector use state.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// connector is the workload that talks to the channel.
	// +optional
	Connector *Connector `json:"connector,omitempty"`

	// deletionPolicy is what becomes of the listings when this Channel is
	// deleted. Orphan leaves the shop as it is. Delist first takes what
	// CatalogSyncs wrote out of sale; where that is impossible (the namespace
	// is being deleted, the hub or the Secret is gone) it leaves them and says
	// so in an event. When absent: Orphan.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// TLS says how a connection is secured.
type TLS struct {
	// caBundleRef names a ConfigMap with certificate authorities in PEM form
	// that are trusted in place of the image's own.
	// +optional
	CABundleRef *ConfigMapKeyReference `json:"caBundleRef,omitempty"`

	// serverName is the name that the channel's certificate must bear, where
	// it is not the host of the endpoint.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$')",message="write a host name without scheme, port and path, such as shop.example.com"
	ServerName string `json:"serverName,omitempty"`

	// clientCertificateRef names a Secret of type kubernetes.io/tls (keys
	// tls.crt and tls.key) with which the connector proves itself.
	// +optional
	ClientCertificateRef *SecretReference `json:"clientCertificateRef,omitempty"`
}

// RateLimit bounds the calls to a channel's API. When the channel itself says
// less (Retry-After, a cost bucket), its word governs.
type RateLimit struct {
	// requestsPerSecond on average, a decimal number in quotes such as "2.5".
	// When absent: what the type's documentation says.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]{1,12}([.][0-9]{1,6})?$') || double(self) <= 10000.0",message="write at most \"10000\" requests per second"
	RequestsPerSecond PositiveDecimal `json:"requestsPerSecond,omitempty"`

	// burst is how many calls may be made at once after a quiet time. When
	// absent: what the type's documentation says.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Burst int32 `json:"burst,omitempty"`

	// share of the budget that this connector takes, a decimal number in
	// quotes of at most 1. "0.8" leaves a fifth to others who use the same
	// account. When absent: "1".
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]{1,12}([.][0-9]{1,6})?$') || double(self) <= 1.0",message="write a share above \"0\" and at most \"1\", such as \"0.8\" for four fifths"
	Share PositiveDecimal `json:"share,omitempty"`
}

// Polling says how often a channel is asked for news.
type Polling struct {
	// interval between two looks at what changed (listings and orders), from
	// 100ms to 1h. When absent: 5s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(ms|s|m|h)){1,3}$') && duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="write a duration between 100ms and 1h, such as 500ms, 10s or 5m"
	Interval *metav1.Duration `json:"interval,omitempty"`
}

// Webhooks is where the channel's own messages arrive.
type Webhooks struct {
	// host under which the channel reaches the connector's Service, with a
	// port where it is not 443. The way from there to the Service (an Ingress,
	// a Gateway) is yours to make.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=259
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[1-9][0-9]{0,4})?$')",message="write a host name without scheme and path, such as hooks.example.com"
	Host string `json:"host,omitempty"`

	// path under which the connector takes webhooks. When absent:
	// /webhooks/<namespace>/<name>.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[-._~a-zA-Z0-9]+)+$')",message="write an absolute path of letters, digits, '-', '_', '.' and '~' without a slash at its end, such as /webhooks/webshop"
	Path string `json:"path,omitempty"`
}

// Connector is the workload that talks to a channel: one Deployment with one
// pod that writes.
type Connector struct {
	// image of the connector. When absent: the operator's workload image.
	// Needed for a type that this installation does not know.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-._:/@a-zA-Z0-9]*[a-zA-Z0-9])?$') && !self.contains('//')",message="write an image reference such as registry.example.com/shop-connector:1.2.3, without a scheme"
	Image string `json:"image,omitempty"`

	// resources of the connector's container. When absent: those of the
	// operator's installation.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// storage that outlives the pod, for what the channel was last read to
	// show. When absent: the pod's own (emptyDir), and every new pod, and every
	// pod whose node was started anew, begins with reading all listings.
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// podTemplate is laid over the pod that the operator makes.
	// +optional
	PodTemplate *PodTemplate `json:"podTemplate,omitempty"`
}

// Storage is a PersistentVolumeClaim of the connector's own.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName cannot be changed: remove connector.storage, apply, and add it again (what it holds is read anew from the shop)"
type Storage struct {
	// size of the volume, such as 1Gi. About 1Gi is right for a million
	// listings. It may grow where the storage class allows it, never shrink.
	// +required
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",message="a volume cannot shrink: write at least the size it has, or remove connector.storage, apply, and add it again"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('64Mi')) >= 0",message="write a size of at least 64Mi, such as 1Gi"
	Size resource.Quantity `json:"size,omitzero"`

	// storageClassName of the volume. When absent: the cluster's default
	// class. Cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// PodTemplate is laid over the pods of a workload.
type PodTemplate struct {
	// labels added to the pod. Those of selaras.dev and app.kubernetes.io are
	// the operator's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('selaras.dev/') && !k.startsWith('app.kubernetes.io/'))",message="labels of selaras.dev/ and app.kubernetes.io/ are set by the operator: use a prefix of your own"
	Labels map[string]string `json:"labels,omitempty"`

	// annotations added to the pod. Those of selaras.dev are the operator's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('selaras.dev/'))",message="annotations of selaras.dev/ are set by the operator: use a prefix of your own"
	Annotations map[string]string `json:"annotations,omitempty"`

	// nodeSelector of the pod.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the pod.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pod.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName of the pod.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// imagePullSecrets with which the image is fetched.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	ImagePullSecrets []SecretReference `json:"imagePullSecrets,omitempty"`
}

// ChannelStatus is what the operator found of a Channel. Nothing in it changes
// while nothing happens.
type ChannelStatus struct {
	// observedGeneration is the generation of the spec that this status is
	// about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, Deployed, CredentialsValid,
	// Connected, WebhooksHealthy, HubAvailable. All are always present.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// accountID is the channel's own id of the account behind the credentials.
	// Two Channels cannot share one.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	AccountID string `json:"accountID,omitempty"`

	// capabilities are what the channel can do, such as ReadListings or
	// WriteStock.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	Capabilities []string `json:"capabilities,omitempty"`

	// connector that reported last.
	// +optional
	Connector *ConnectorStatus `json:"connector,omitempty"`

	// listings is how many listings the channel has, as last counted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Listings *int64 `json:"listings,omitempty"`

	// webhookURL is what to enter as the webhook's address in the shop's own
	// settings, where webhooks are wanted.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	WebhookURL string `json:"webhookURL,omitempty"`

	// hubCredentials is the name of the Secret with which the connector
	// enters the hub.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	HubCredentials string `json:"hubCredentials,omitempty"`

	// lastHandledRequest echoes the annotation selaras.dev/requestedAt.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}

// ConnectorStatus is what a connector says of itself.
type ConnectorStatus struct {
	// type of the driver that runs.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type,omitempty"`

	// version of the driver.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`
}

// ChannelList is a list of Channels.
//
// +kubebuilder:object:root=true
type ChannelList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the Channels.
	Items []Channel `json:"items"`
}
