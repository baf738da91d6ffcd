// The stack: every program of the test control plane in one binary, which acts by the name it is called by.
//
// One binary instead of nine shares nearly all of its compiled packages, so that a cold build and the disk it takes are
// a third of what nine would need.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata"

	appcontroller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	gitaskpass "github.com/argoproj/argo-cd/v3/cmd/argocd-git-ask-pass/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	argoserver "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
	argocli "github.com/argoproj/argo-cd/v3/cmd/argocd/commands"
	argolog "github.com/argoproj/argo-cd/v3/util/log"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/klog/v2"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	kubeapiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kubecontrollermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubescheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"coditect/e2e/stack/fakelet"
)

// programs are what the binary can be called as.
var programs = map[string]func(){
	"etcd":                             func() { etcdmain.Main(os.Args) },
	"kube-apiserver":                   func() { os.Exit(cli.Run(kubeapiserver.NewAPIServerCommand())) },
	"kube-controller-manager":          func() { os.Exit(cli.Run(kubecontrollermanager.NewControllerManagerCommand())) },
	"kube-scheduler":                   func() { os.Exit(cli.Run(kubescheduler.NewSchedulerCommand())) },
	"kubectl":                          kubectl,
	"fakelet":                          func() { os.Exit(fakelet.Main(os.Args[1:])) },
	"argocd":                           func() { argocd(argocli.NewCommand()) },
	"argocd-server":                    func() { argocd(argoserver.NewCommand()) },
	"argocd-repo-server":               func() { argocd(reposerver.NewCommand()) },
	"argocd-application-controller":    func() { argocd(appcontroller.NewCommand()) },
	"argocd-applicationset-controller": func() { argocd(applicationset.NewCommand()) },
	"argocd-git-ask-pass":              func() { argocd(gitaskpass.NewCommand()) },
}

func main() {
	name := filepath.Base(os.Args[0])
	// Argo CD's repo server calls itself by this variable (its own multi-call convention).
	if asked := os.Getenv("ARGOCD_BINARY_NAME"); asked != "" {
		name = asked
	}
	program, known := programs[name]
	if !known {
		fmt.Fprintf(os.Stderr, "stack: call this by the name of one of its programs, not %q\n", name)
		os.Exit(2)
	}
	program()
}

func kubectl() {
	logs.GlogSetter(kubectlcmd.GetLogVerbosity(os.Args)) //nolint:errcheck // a wrong level is reported by kubectl
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

func argocd(command *cobra.Command) {
	klog.SetLogger(argolog.NewLogrusLogger(argolog.NewWithCurrentConfig()))
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
