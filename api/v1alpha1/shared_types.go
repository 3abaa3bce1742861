package v1alpha1

// PositiveDecimal is a decimal number above zero, written as a string so that
// it is kept exactly as it was written.
//
// +kubebuilder:validation:MaxLength=20
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,12}([.][0-9]{1,6})?$') && self.matches('[1-9]')",message="write a decimal number above 0 in quotes, with at most 12 digits before and 6 after the point, such as \"1.05\" or \"500\""
type PositiveDecimal string

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a Secret in the same namespace: small letters, digits, '-' and '.', such as webshop-credentials"
	Name string `json:"name,omitempty"`
}

// ConfigMapKeyReference names one key of a ConfigMap in the same namespace.
type ConfigMapKeyReference struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a ConfigMap in the same namespace: small letters, digits, '-' and '.', such as shop-ca"
	Name string `json:"name,omitempty"`

	// key in the ConfigMap's data. When absent: ca.crt.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '..' && self != '.'",message="write a key of the ConfigMap's data: letters, digits, '-', '_' and '.', such as ca.crt"
	Key string `json:"key,omitempty"`
}
