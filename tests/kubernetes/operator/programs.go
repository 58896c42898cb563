//go:build tools

// Package operator names KubeRay's operator, which the tests build.
package operator

import _ "github.com/ray-project/kuberay/ray-operator"
