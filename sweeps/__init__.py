"""From a spec to trials, to training, to records. No Streamlit."""
