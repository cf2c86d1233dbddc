"""Launch each run as a Kubernetes job. Only deployments install the package of this launcher."""

from dagster_k8s import K8sRunLauncher

from nba_predictions.orchestration.run_launcher import wait_for_end


class KubernetesRunLauncher(K8sRunLauncher):
    """The launcher of dagster-k8s, which waits until a run that it terminates has ended."""

    def terminate(self, run_id: str) -> bool:
        """Delete the job of a run, and wait until its pod has reported the end of the run."""
        is_deleted = bool(super().terminate(run_id))
        wait_for_end(self._instance, run_id)
        return is_deleted
