package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"
)

const (
	storageClass  = "local-directory"
	provisioner   = "selaras.dev/local-directory"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// storage gives every claim a directory of this machine as its volume, and
// removes the directory when the claim is gone.
type storage struct {
	runner  *Runner
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	queue   workqueue.TypedRateLimitingInterface[storageKey]
}

// storageKey names a claim, or a volume when namespace is empty.
type storageKey struct{ namespace, name string }

func newStorage(r *Runner, factory informers.SharedInformerFactory) *storage {
	return &storage{
		runner:  r,
		claims:  factory.Core().V1().PersistentVolumeClaims().Lister(),
		volumes: factory.Core().V1().PersistentVolumes().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[storageKey](retryFirst, retryMost)),
	}
}

// EnsureStorageClass makes the default class that claims get. Start does so;
// whoever makes claims before that calls it first, because a claim made without
// a default class waits long for one.
func EnsureStorageClass(ctx context.Context, client kubernetes.Interface) error {
	binding, reclaim := storagev1.VolumeBindingImmediate, corev1.PersistentVolumeReclaimDelete
	_, err := client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: storageClass, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner:       provisioner,
		VolumeBindingMode: &binding,
		ReclaimPolicy:     &reclaim,
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make storage class %s: %w", storageClass, err)
	}
	return nil
}

func (s *storage) claimChanged(object any) {
	claim, ok := object.(*corev1.PersistentVolumeClaim)
	if !ok {
		return
	}
	s.queue.Add(storageKey{claim.Namespace, claim.Name})
	s.runner.fileSourceChanged(claim) // pods may wait for the claim to be bound
}

func (s *storage) volumeChanged(object any) {
	if volume, ok := object.(*corev1.PersistentVolume); ok {
		s.queue.Add(storageKey{name: volume.Name})
	}
}

func (s *storage) run(ctx context.Context) {
	context.AfterFunc(ctx, s.queue.ShutDown)
	for {
		key, down := s.queue.Get()
		if down {
			return
		}
		work := s.provision
		if key.namespace == "" {
			work = s.reclaim
		}
		if err := work(ctx, key); err != nil && ctx.Err() == nil {
			s.runner.log.Warn("storage", "object", key.namespace+"/"+key.name, "error", err)
			s.queue.AddRateLimited(key)
		} else {
			s.queue.Forget(key)
		}
		s.queue.Done(key)
	}
}

// provision makes the volume of a claim that has none.
func (s *storage) provision(ctx context.Context, key storageKey) error {
	claim, err := s.claims.PersistentVolumeClaims(key.namespace).Get(key.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil ||
		claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != storageClass {
		return nil
	}
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(s.runner.storageDir(), name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the directory of a claim: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err = s.runner.client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      claim.Spec.Resources.Requests,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              storageClass,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reclaim removes a volume of ours whose claim is gone, with its directory.
func (s *storage) reclaim(ctx context.Context, key storageKey) error {
	volume, err := s.volumes.Get(key.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if volume.Annotations[provisionedBy] != provisioner || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	if volume.Spec.HostPath != nil && filepath.Dir(volume.Spec.HostPath.Path) == s.runner.storageDir() {
		if err := os.RemoveAll(volume.Spec.HostPath.Path); err != nil {
			return fmt.Errorf("remove the directory of a claim: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	err = s.runner.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
