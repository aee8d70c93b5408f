// The credits call with axios: node credits.js BASE_URL API_KEY path|query
const axios = require('axios');

const [base, key, form] = process.argv.slice(2);

axios
  .get(form === 'path' ? `${base}/me/${key}` : `${base}/me?apiKey=${key}`)
  .then((response) => console.log(JSON.stringify(response.data)))
  .catch((failure) => {
    // axios rejects every status but 2xx and keeps the parsed body in `response.data`.
    console.error(failure.response ? JSON.stringify(failure.response.data) : failure.message);
    process.exitCode = 1;
  });
