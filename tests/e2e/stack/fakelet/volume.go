package fakelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// The name by which StorageClasses ask for this driver. The controller manager's own host-path provisioner is not
	// used: its folder is always /tmp/hostpath_pv, and it cannot grow a volume.
	provisioner = "fakelet.test/volumes"
	// How long the growing of a volume takes.
	resizing = time.Second

	annotationProvisioner   = "volume.kubernetes.io/storage-provisioner"
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
)

// claim makes the volume that a claim waits for, and grows one whose claim asks for more than it has.
func (f *fakelet) claim(ctx context.Context, namespace, name string) (time.Duration, error) {
	claim, err := f.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil || claim.Annotations[annotationProvisioner] != provisioner || claim.DeletionTimestamp != nil {
		return 0, nil
	}
	if claim.Spec.VolumeName == "" {
		return 0, f.provision(ctx, claim)
	}
	wanted, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if claim.Status.Phase != corev1.ClaimBound || wanted.Cmp(has) <= 0 {
		return 0, nil
	}
	return f.grow(ctx, claim)
}

func (f *fakelet) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	class, err := f.classes.Get(*claim.Spec.StorageClassName)
	if err != nil {
		return err
	}
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(f.folder, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationProvisionedBy: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			StorageClassName:              class.Name,
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace,
				Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
		},
	}
	_, err = f.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		f.driver.Eventf(claim, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume %s", name)
	}
	return err
}

// grow does what a volume driver's resizer does: the condition, the volume, the claim.
func (f *fakelet) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim) (time.Duration, error) {
	class, err := f.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion {
		return 0, err
	}
	claims := f.client.CoreV1().PersistentVolumeClaims(claim.Namespace)
	claim = claim.DeepCopy()
	at := slices.IndexFunc(claim.Status.Conditions, func(condition corev1.PersistentVolumeClaimCondition) bool {
		return condition.Type == corev1.PersistentVolumeClaimResizing
	})
	if at < 0 {
		claim.Status.Conditions = append(claim.Status.Conditions, corev1.PersistentVolumeClaimCondition{
			Type: corev1.PersistentVolumeClaimResizing, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
		_, err := claims.UpdateStatus(ctx, claim, metav1.UpdateOptions{})
		return resizing, err
	}
	if left := resizing - time.Since(claim.Status.Conditions[at].LastTransitionTime.Time); left > 0 {
		return left, nil
	}
	volume, err := f.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	wanted := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if has := volume.Spec.Capacity[corev1.ResourceStorage]; wanted.Cmp(has) > 0 {
		volume.Spec.Capacity[corev1.ResourceStorage] = wanted
		if _, err := f.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
			return 0, err
		}
	}
	claim.Status.Capacity[corev1.ResourceStorage] = wanted
	claim.Status.Conditions = slices.Delete(claim.Status.Conditions, at, at+1)
	if _, err := claims.UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		return 0, err
	}
	f.driver.Event(claim, corev1.EventTypeNormal, "VolumeResizeSuccessful", "Resize volume succeeded")
	return 0, nil
}

// volume removes a volume whose claim is gone, with what it holds, if its class says so.
func (f *fakelet) volume(ctx context.Context, name string) error {
	volume, err := f.volumes.Get(name)
	if err != nil || volume.Annotations[annotationProvisionedBy] != provisioner || volume.DeletionTimestamp != nil ||
		volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	path := volume.Spec.HostPath.Path
	if filepath.Dir(path) != filepath.Clean(f.folder) {
		return fmt.Errorf("%s is not below %s", path, f.folder)
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return f.client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &volume.UID}})
}
