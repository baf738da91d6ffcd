package fakelet

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ingress gives an Ingress its address: Argo CD calls one that has none Progressing for ever.
func (f *fakelet) ingress(ctx context.Context, namespace, name string) error {
	ingress, err := f.ingresses.Ingresses(namespace).Get(name)
	if err != nil || f.ingressIP == "" || ingress.DeletionTimestamp != nil || len(ingress.Status.LoadBalancer.Ingress) > 0 {
		return nil
	}
	ingress = ingress.DeepCopy()
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: f.ingressIP}}
	_, err = f.client.NetworkingV1().Ingresses(namespace).UpdateStatus(ctx, ingress, metav1.UpdateOptions{})
	return err
}
