"""What jobs do, one module for each subject. `moorage.jobs.builtin` lists the kinds."""
